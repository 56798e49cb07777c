-- A refusal may concern one message or one sender of a mailbox, and not the others:
-- who a message says it is from, why it is held, and the senders that wait.
ALTER TABLE mail ADD COLUMN sender TEXT NOT NULL DEFAULT '';   -- the address in From, lower case; '': not known
ALTER TABLE mail ADD COLUMN held_for TEXT NOT NULL DEFAULT ''; -- of a held one: refused when the server's refusal holds it; '': doubt, or an operator
CREATE TABLE sender (
  mailbox      TEXT   NOT NULL,
  name         TEXT   NOT NULL,            -- as mail.sender
  reverse_path TEXT   NOT NULL,
  held         BIGINT NOT NULL,            -- 1: its messages are held; 0: one was, and the operator is told
  at           BIGINT NOT NULL,
  code         BIGINT NOT NULL,            -- the refusal: reply, code of the catalogue
  enhanced     TEXT   NOT NULL,
  kind         TEXT   NOT NULL,
  text         TEXT   NOT NULL,
  PRIMARY KEY (mailbox, name, reverse_path)
);
ALTER TABLE notice ADD COLUMN sender TEXT NOT NULL DEFAULT ''; -- of a message that is held
