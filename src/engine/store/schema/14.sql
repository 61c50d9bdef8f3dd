-- Providers that send a long text in parts give each part an id of its own, and report each by itself.

ALTER TABLE provider_message ADD COLUMN answer TEXT;    -- the first id of the answer that named several; null = it named this one only
ALTER TABLE provider_message ADD COLUMN delivered INTEGER NOT NULL DEFAULT 0;
CREATE INDEX provider_message_by_answer ON provider_message (answer) WHERE answer IS NOT NULL;
