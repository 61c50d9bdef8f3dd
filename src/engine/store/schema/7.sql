-- Agents are asked whether they take an interaction.

ALTER TABLE interaction ADD COLUMN offers INTEGER NOT NULL DEFAULT 0;   -- how often it was offered
ALTER TABLE interaction ADD COLUMN offer TEXT;                          -- JSON: the offer that runs
ALTER TABLE interaction ADD COLUMN accepted INTEGER;                    -- the offer with which its owner accepted it
ALTER TABLE interaction ADD COLUMN asked_in_vain TEXT;                  -- JSON: whom it was offered to in vain
-- Offers that agents let pass in a row.
ALTER TABLE agent ADD COLUMN missed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN missed_at INTEGER;                         -- when the last of them ended, in the channel's own time
