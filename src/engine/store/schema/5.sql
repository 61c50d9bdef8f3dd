-- Which text that opts in came before the newest one that opts out is known however they are delivered, and when both texts are forgotten.

ALTER TABLE customer ADD COLUMN opted_out_at INTEGER;   -- when the gateway got the newest text with which they opted out, whether or not they opted in since
UPDATE customer SET opted_out_at = (
    SELECT max(m.received_at) FROM message_of_customer k CROSS JOIN message m ON m.id = k.message
    WHERE k.customer = customer.id AND m.outcome = 'OptedOut')
WHERE opted_out = 1;
-- Messages that wait for the look-ups.
UPDATE customer SET opted_out_at = max(coalesce(opted_out_at, waiting.received_at), waiting.received_at)
FROM (SELECT customer, max(received_at) AS received_at FROM message
      WHERE id > (SELECT indexed FROM store WHERE one = 1) AND outcome = 'OptedOut' GROUP BY customer) AS waiting
WHERE customer.id = waiting.customer AND customer.opted_out = 1;
