-- The agent whom a customer had last comes first; an interaction waits in the queue no longer than it may; agents hand interactions over.

ALTER TABLE customer ADD COLUMN last_ended_at INTEGER NOT NULL DEFAULT 0;          -- when their last interaction that an agent had ended, in the channel's own time
ALTER TABLE interaction ADD COLUMN previous_agent TEXT;                            -- who comes before others, until somebody has it
ALTER TABLE interaction ADD COLUMN queued_own_at INTEGER;                          -- queued_at in the channel's own time
ALTER TABLE interaction ADD COLUMN queue_timed_out INTEGER NOT NULL DEFAULT 0;     -- it has waited for too long, and that was said
ALTER TABLE interaction ADD COLUMN transfer TEXT;                                  -- JSON: its owner hands it over
ALTER TABLE interaction ADD COLUMN disposition TEXT;                               -- its outcome, as its owner or a supervisor said when they ended it
