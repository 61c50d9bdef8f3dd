-- How much each agent finished on a day, for the strategy FewestInteractions.

ALTER TABLE agent ADD COLUMN completed_on TEXT;                     -- the last date, in the campaign's time zone, on which they finished any
ALTER TABLE agent ADD COLUMN completed INTEGER NOT NULL DEFAULT 0;  -- what they finished on that date
