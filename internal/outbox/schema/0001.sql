-- Times are milliseconds since 1970 UTC; 0 means never or none. IDENTITY, BIGINT,
-- BLOB and CLUSTERED stand for the database's own words (dialect.go).

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE mailbox (
  name         TEXT PRIMARY KEY,            -- lower case
  per_minute   BIGINT NOT NULL DEFAULT 0,   -- 0: the default limit
  rcpt_day     BIGINT NOT NULL DEFAULT 0,
  next_at      BIGINT NOT NULL DEFAULT 0,   -- until then a limit is reached
  next_text    TEXT   NOT NULL DEFAULT '',  -- which one
  pause        TEXT   NOT NULL DEFAULT '',  -- why nothing is submitted: throttled, unreachable, refusals, configuration, blocked, operator
  paused_until BIGINT NOT NULL DEFAULT 0,   -- 0 with a pause: until released
  pause_kind   TEXT   NOT NULL DEFAULT '',  -- code of the catalogue
  pause_text   TEXT   NOT NULL DEFAULT '',  -- the server's words
  throttles    BIGINT NOT NULL DEFAULT 0,   -- in a row
  streak       BIGINT NOT NULL DEFAULT 0,   -- refusals of one kind in a row
  streak_kind  TEXT   NOT NULL DEFAULT ''
);

CREATE TABLE batch (
  id         IDENTITY,
  name       TEXT   NOT NULL UNIQUE,
  source_sum TEXT   NOT NULL DEFAULT '',
  total      BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL
);

CREATE TABLE mail (
  id            IDENTITY,
  mailbox       TEXT   NOT NULL,
  state         TEXT   NOT NULL,            -- receiving, ready, sending, held, sent, dead, cancelled
  prio          BIGINT NOT NULL,            -- 0 goes first, 3 last
  ready_at      BIGINT NOT NULL,
  expires_at    BIGINT NOT NULL DEFAULT 0,
  attempts      BIGINT NOT NULL DEFAULT 0,
  waited        BIGINT NOT NULL DEFAULT 0,  -- sum of the waits after deferrals: decides when to give up
  doubts        BIGINT NOT NULL DEFAULT 0,
  holder        TEXT   NOT NULL DEFAULT '',
  lease_until   BIGINT NOT NULL DEFAULT 0,
  phase         TEXT   NOT NULL DEFAULT '', -- of a sending mail: '' surely not submitted, data maybe
  dedupe_key    TEXT,
  batch_id      BIGINT,
  row_key       TEXT   NOT NULL DEFAULT '',
  message_id    TEXT   NOT NULL,
  reverse_path  TEXT   NOT NULL,
  dsn_notify    TEXT   NOT NULL DEFAULT '',
  dsn_return    TEXT   NOT NULL DEFAULT '',
  envelope_id   TEXT   NOT NULL DEFAULT '',
  rcpt_count    BIGINT NOT NULL,
  rcpt_open     BIGINT NOT NULL,
  size          BIGINT NOT NULL,
  sha256        BLOB,
  eight_bit     BIGINT NOT NULL DEFAULT 0,
  body_left     BIGINT NOT NULL DEFAULT 0,  -- 1: finished, its chunks are still to be deleted
  source        TEXT   NOT NULL DEFAULT '',
  client        TEXT   NOT NULL DEFAULT '',
  notice        BIGINT NOT NULL DEFAULT 0,  -- 1: a notice to the operator, about which there is none
  last_code     BIGINT NOT NULL DEFAULT 0,
  last_enhanced TEXT   NOT NULL DEFAULT '',
  last_kind     TEXT   NOT NULL DEFAULT '',
  last_text     TEXT   NOT NULL DEFAULT '',
  server_id     TEXT   NOT NULL DEFAULT '',
  created_at    BIGINT NOT NULL,
  finished_at   BIGINT
);
CREATE INDEX mail_ready ON mail (mailbox, prio, ready_at, id) WHERE state = 'ready';
CREATE INDEX mail_sending ON mail (mailbox) WHERE state = 'sending';
CREATE INDEX mail_parked ON mail (state, mailbox) WHERE state = 'held' OR state = 'receiving';
CREATE INDEX mail_expiring ON mail (expires_at) WHERE expires_at > 0 AND (state = 'ready' OR state = 'held');
CREATE INDEX mail_finished ON mail (finished_at, state, mailbox) WHERE finished_at IS NOT NULL;
CREATE INDEX mail_batch ON mail (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX mail_body_left ON mail (id) WHERE body_left = 1;
CREATE UNIQUE INDEX mail_dedupe ON mail (dedupe_key) WHERE dedupe_key IS NOT NULL;

CREATE TABLE rcpt (
  mail_id  BIGINT NOT NULL REFERENCES mail (id) ON DELETE CASCADE,
  n        BIGINT NOT NULL,
  addr     TEXT   NOT NULL,
  state    TEXT   NOT NULL,                 -- open, accepted, refused; unsent: still open when the message ended
  code     BIGINT NOT NULL DEFAULT 0,
  enhanced TEXT   NOT NULL DEFAULT '',
  text     TEXT   NOT NULL DEFAULT '',
  PRIMARY KEY (mail_id, n)
) CLUSTERED;
-- Waiting recipients are found through their messages: an index by address makes
-- every commit touch pages all over, and adding slower the more there is.
CREATE INDEX rcpt_addr ON rcpt (lower(addr)) WHERE state <> 'open';

CREATE TABLE body (
  mail_id BIGINT NOT NULL REFERENCES mail (id) ON DELETE CASCADE,
  seq     BIGINT NOT NULL,
  data    BLOB   NOT NULL,                  -- at most 1 MiB
  PRIMARY KEY (mail_id, seq)
);

CREATE TABLE event (
  id       IDENTITY,
  mail_id  BIGINT NOT NULL REFERENCES mail (id) ON DELETE CASCADE,
  at       BIGINT NOT NULL,
  kind     TEXT   NOT NULL,
  attempt  BIGINT NOT NULL DEFAULT 0,
  rcpt     TEXT   NOT NULL DEFAULT '',      -- '': all that were open
  code     BIGINT NOT NULL DEFAULT 0,
  enhanced TEXT   NOT NULL DEFAULT '',
  text     TEXT   NOT NULL DEFAULT '',
  took     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX event_mail ON event (mail_id, id);

CREATE TABLE usage (
  mailbox TEXT   NOT NULL,
  span    BIGINT NOT NULL,                  -- width of a bucket
  bucket  BIGINT NOT NULL,                  -- time divided by span
  msgs    BIGINT NOT NULL,
  rcpts   BIGINT NOT NULL,
  PRIMARY KEY (mailbox, span, bucket)
) CLUSTERED;

CREATE TABLE notice (
  id      IDENTITY,
  at      BIGINT NOT NULL,
  kind    TEXT   NOT NULL,                  -- held, paused, dead, in doubt
  mailbox TEXT   NOT NULL,
  mail_id BIGINT NOT NULL DEFAULT 0,        -- 0: it is about the mailbox
  code    TEXT   NOT NULL DEFAULT '',       -- of the catalogue
  text    TEXT   NOT NULL DEFAULT ''
);
