-- The history can be searched: by owner, by how it ended, and by time. The interactions of a customer are found by their messages.

DROP INDEX interaction_by_owner;
CREATE INDEX interaction_by_owner ON interaction (owner, arrived_at) WHERE owner IS NOT NULL;
CREATE INDEX interaction_by_close_reason ON interaction (close_reason, arrived_at) WHERE close_reason IS NOT NULL;
CREATE INDEX interaction_by_arrival ON interaction (arrived_at);
