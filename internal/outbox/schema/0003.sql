-- A mailbox comes back by itself: since when it has not submitted, how often the
-- server could not be used, and when a held one is tried by a sign-in. And notices
-- go by two roads, a mail and a command, each with its own account.
ALTER TABLE mailbox ADD COLUMN since BIGINT NOT NULL DEFAULT 0;      -- the first pause of the row of pauses that no accepted message has ended
ALTER TABLE mailbox ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;   -- times in a row that the server could not be used
ALTER TABLE mailbox ADD COLUMN probe_at BIGINT NOT NULL DEFAULT 0;   -- when a held mailbox is tried; 0: only when it is released
ALTER TABLE mailbox ADD COLUMN probes BIGINT NOT NULL DEFAULT 0;     -- since a message was accepted
ALTER TABLE mailbox ADD COLUMN told TEXT NOT NULL DEFAULT '';        -- the notice of which the end is still to be told: paused, held; released: somebody knows
ALTER TABLE mailbox ADD COLUMN accepted_at BIGINT NOT NULL DEFAULT 0; -- the last accepted message
UPDATE mailbox SET probe_at = 1, told = 'held' WHERE pause IN ('configuration', 'blocked') AND paused_until = 0;

ALTER TABLE notice ADD COLUMN at_own BIGINT NOT NULL DEFAULT 0;        -- by the outbox's own time, which decides how long it is kept
UPDATE notice SET at_own = at;
ALTER TABLE notice ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE notice ADD COLUMN next_at BIGINT NOT NULL DEFAULT 0;       -- when the mailbox goes on or is tried
ALTER TABLE notice ADD COLUMN wide BIGINT NOT NULL DEFAULT 0;          -- 1: what is broken concerns other mailboxes too
ALTER TABLE notice ADD COLUMN carrier BIGINT NOT NULL DEFAULT 0;       -- the message that takes it to the operator
ALTER TABLE notice ADD COLUMN mail_done BIGINT NOT NULL DEFAULT 0;
ALTER TABLE notice ADD COLUMN mail_at BIGINT NOT NULL DEFAULT 0;       -- not before
ALTER TABLE notice ADD COLUMN mail_tries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE notice ADD COLUMN command_done BIGINT NOT NULL DEFAULT 0;
ALTER TABLE notice ADD COLUMN command_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE notice ADD COLUMN command_tries BIGINT NOT NULL DEFAULT 0;

-- When a message was over by the outbox's own time (clock.go), which decides how
-- long it is remembered.
ALTER TABLE mail ADD COLUMN finished_own BIGINT;
UPDATE mail SET finished_own = finished_at WHERE finished_at IS NOT NULL;
CREATE INDEX mail_remembered ON mail (finished_own) WHERE finished_own IS NOT NULL;
ALTER TABLE past ADD COLUMN finished_own BIGINT NOT NULL DEFAULT 0;
UPDATE past SET finished_own = finished_at;
DROP INDEX past_finished;
CREATE INDEX past_remembered ON past (finished_own);
