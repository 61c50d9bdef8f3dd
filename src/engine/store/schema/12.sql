-- Which steps of bots failed, how often and when last: read for the operator without a look at the history.

CREATE TABLE bot_failure (
    id              INTEGER PRIMARY KEY,
    bot             TEXT NOT NULL,
    step            TEXT NOT NULL,                  -- empty: the bot could not begin
    reason          TEXT NOT NULL,
    count           INTEGER NOT NULL,
    since           INTEGER NOT NULL,               -- when it failed so first
    at              INTEGER NOT NULL,               -- when it did last
    UNIQUE (bot, step, reason)
) STRICT;
CREATE INDEX bot_failure_by_age ON bot_failure (at);
