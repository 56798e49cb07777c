-- An outbox of schema 1 with a message in each state, as the first version wrote it. Never change it.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
INSERT INTO meta VALUES('schema','1');
INSERT INTO meta VALUES('tag','yrs');
INSERT INTO meta VALUES('clock','1794819600000');
CREATE TABLE mailbox (
  name         TEXT PRIMARY KEY,            -- lower case
  per_minute   INTEGER NOT NULL DEFAULT 0,   -- 0: the default limit
  rcpt_day     INTEGER NOT NULL DEFAULT 0,
  next_at      INTEGER NOT NULL DEFAULT 0,   -- until then a limit is reached
  next_text    TEXT   NOT NULL DEFAULT '',  -- which one
  pause        TEXT   NOT NULL DEFAULT '',  -- why nothing is submitted: throttled, unreachable, refusals, configuration, blocked, operator
  paused_until INTEGER NOT NULL DEFAULT 0,   -- 0 with a pause: until released
  pause_kind   TEXT   NOT NULL DEFAULT '',  -- code of the catalogue
  pause_text   TEXT   NOT NULL DEFAULT '',  -- the server's words
  throttles    INTEGER NOT NULL DEFAULT 0,   -- in a row
  streak       INTEGER NOT NULL DEFAULT 0,   -- refusals of one kind in a row
  streak_kind  TEXT   NOT NULL DEFAULT ''
);
INSERT INTO mailbox VALUES('app@contoso.example',0,0,0,'','',0,'','',0,1,'permanent-kind');
CREATE TABLE batch (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT   NOT NULL UNIQUE,
  source_sum TEXT   NOT NULL DEFAULT '',
  total      INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
);
INSERT INTO batch VALUES(1,'invoices','sum',7,1794819600000);
CREATE TABLE mail (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  mailbox       TEXT   NOT NULL,
  state         TEXT   NOT NULL,            -- receiving, ready, sending, held, sent, dead, cancelled
  prio          INTEGER NOT NULL,            -- 0 goes first, 3 last
  ready_at      INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL DEFAULT 0,
  attempts      INTEGER NOT NULL DEFAULT 0,
  waited        INTEGER NOT NULL DEFAULT 0,  -- sum of the waits after deferrals: decides when to give up
  doubts        INTEGER NOT NULL DEFAULT 0,
  holder        TEXT   NOT NULL DEFAULT '',
  lease_until   INTEGER NOT NULL DEFAULT 0,
  phase         TEXT   NOT NULL DEFAULT '', -- of a sending mail: '' surely not submitted, data maybe
  dedupe_key    TEXT,
  batch_id      INTEGER,
  row_key       TEXT   NOT NULL DEFAULT '',
  message_id    TEXT   NOT NULL,
  reverse_path  TEXT   NOT NULL,
  dsn_notify    TEXT   NOT NULL DEFAULT '',
  dsn_return    TEXT   NOT NULL DEFAULT '',
  envelope_id   TEXT   NOT NULL DEFAULT '',
  rcpt_count    INTEGER NOT NULL,
  rcpt_open     INTEGER NOT NULL,
  size          INTEGER NOT NULL,
  sha256        BLOB,
  eight_bit     INTEGER NOT NULL DEFAULT 0,
  body_left     INTEGER NOT NULL DEFAULT 0,  -- 1: finished, its chunks are still to be deleted
  source        TEXT   NOT NULL DEFAULT '',
  client        TEXT   NOT NULL DEFAULT '',
  notice        INTEGER NOT NULL DEFAULT 0,  -- 1: a notice to the operator, about which there is none
  last_code     INTEGER NOT NULL DEFAULT 0,
  last_enhanced TEXT   NOT NULL DEFAULT '',
  last_kind     TEXT   NOT NULL DEFAULT '',
  last_text     TEXT   NOT NULL DEFAULT '',
  server_id     TEXT   NOT NULL DEFAULT '',
  created_at    INTEGER NOT NULL,
  finished_at   INTEGER
);
INSERT INTO mail VALUES(1,'app@contoso.example','sent',1,1794819600000,0,1,0,0,'',0,'','batch/1/1',1,'1','<1@contoso.example>','app@contoso.example','','','',2,0,33,X'9274e814149cb21a152f85dd077cab4d6b4cc527430865d6e92d4a2cfcc7ff77',0,0,'','',0,0,'','','','',1794819600000,1794819600000);
INSERT INTO mail VALUES(2,'app@contoso.example','dead',1,1794819600000,0,1,0,0,'',0,'',NULL,NULL,'','<1@contoso.example>','app@contoso.example','','','',1,0,33,X'9274e814149cb21a152f85dd077cab4d6b4cc527430865d6e92d4a2cfcc7ff77',0,0,'','',0,550,'5.1.1','permanent-kind','5.1.1 User unknown','',1794819600000,1794819600000);
INSERT INTO mail VALUES(3,'app@contoso.example','held',1,1794819600000,0,0,0,0,'',0,'',NULL,NULL,'','<1@contoso.example>','app@contoso.example','','','',1,1,33,X'9274e814149cb21a152f85dd077cab4d6b4cc527430865d6e92d4a2cfcc7ff77',0,0,'','',0,0,'','','','',1794819600000,NULL);
INSERT INTO mail VALUES(4,'app@contoso.example','cancelled',1,1794819600000,0,0,0,0,'',0,'',NULL,NULL,'','<1@contoso.example>','app@contoso.example','','','',1,0,33,X'9274e814149cb21a152f85dd077cab4d6b4cc527430865d6e92d4a2cfcc7ff77',0,0,'','',0,0,'','','','',1794819600000,1794819600000);
INSERT INTO mail VALUES(5,'app@contoso.example','sending',1,1794819600000,0,1,0,0,'6UILISCRLQETZORPMQENBJS7TT/3',0,'data',NULL,NULL,'','<1@contoso.example>','app@contoso.example','','','',1,1,33,X'9274e814149cb21a152f85dd077cab4d6b4cc527430865d6e92d4a2cfcc7ff77',0,0,'','',0,0,'','','','',1794819600000,NULL);
INSERT INTO mail VALUES(6,'app@contoso.example','sending',1,1794819600000,0,1,0,0,'6UILISCRLQETZORPMQENBJS7TT/4',0,'',NULL,NULL,'','<1@contoso.example>','app@contoso.example','','','',1,1,33,X'9274e814149cb21a152f85dd077cab4d6b4cc527430865d6e92d4a2cfcc7ff77',0,0,'','',0,0,'','','','',1794819600000,NULL);
INSERT INTO mail VALUES(7,'app@contoso.example','ready',1,1794819600000,0,0,0,0,'',0,'',NULL,NULL,'','<1@contoso.example>','app@contoso.example','','','',1,1,33,X'9274e814149cb21a152f85dd077cab4d6b4cc527430865d6e92d4a2cfcc7ff77',0,0,'','',0,0,'','','','',1794819600000,NULL);
CREATE TABLE rcpt (
  mail_id  INTEGER NOT NULL REFERENCES mail (id) ON DELETE CASCADE,
  n        INTEGER NOT NULL,
  addr     TEXT   NOT NULL,
  state    TEXT   NOT NULL,                 -- open, accepted, refused; unsent: still open when the message ended
  code     INTEGER NOT NULL DEFAULT 0,
  enhanced TEXT   NOT NULL DEFAULT '',
  text     TEXT   NOT NULL DEFAULT '',
  PRIMARY KEY (mail_id, n)
) WITHOUT ROWID;
INSERT INTO rcpt VALUES(1,0,'kim@fabrikam.example','accepted',0,'','');
INSERT INTO rcpt VALUES(1,1,'lee@fabrikam.example','accepted',0,'','');
INSERT INTO rcpt VALUES(2,0,'kim@fabrikam.example','refused',550,'5.1.1','5.1.1 User unknown');
INSERT INTO rcpt VALUES(3,0,'kim@fabrikam.example','open',0,'','');
INSERT INTO rcpt VALUES(4,0,'kim@fabrikam.example','unsent',0,'','');
INSERT INTO rcpt VALUES(5,0,'kim@fabrikam.example','open',0,'','');
INSERT INTO rcpt VALUES(6,0,'kim@fabrikam.example','open',0,'','');
INSERT INTO rcpt VALUES(7,0,'kim@fabrikam.example','open',0,'','');
CREATE TABLE body (
  mail_id INTEGER NOT NULL REFERENCES mail (id) ON DELETE CASCADE,
  seq     INTEGER NOT NULL,
  data    BLOB   NOT NULL,                  -- at most 1 MiB
  PRIMARY KEY (mail_id, seq)
);
INSERT INTO body VALUES(2,0,X'5375626a6563743a205265706f72740d0a0d0a416c6c2069732077656c6c2e0d0a');
INSERT INTO body VALUES(3,0,X'5375626a6563743a205265706f72740d0a0d0a416c6c2069732077656c6c2e0d0a');
INSERT INTO body VALUES(5,0,X'5375626a6563743a205265706f72740d0a0d0a416c6c2069732077656c6c2e0d0a');
INSERT INTO body VALUES(6,0,X'5375626a6563743a205265706f72740d0a0d0a416c6c2069732077656c6c2e0d0a');
INSERT INTO body VALUES(7,0,X'5375626a6563743a205265706f72740d0a0d0a416c6c2069732077656c6c2e0d0a');
CREATE TABLE event (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  mail_id  INTEGER NOT NULL REFERENCES mail (id) ON DELETE CASCADE,
  at       INTEGER NOT NULL,
  kind     TEXT   NOT NULL,
  attempt  INTEGER NOT NULL DEFAULT 0,
  rcpt     TEXT   NOT NULL DEFAULT '',      -- '': all that were open
  code     INTEGER NOT NULL DEFAULT 0,
  enhanced TEXT   NOT NULL DEFAULT '',
  text     TEXT   NOT NULL DEFAULT '',
  took     INTEGER NOT NULL DEFAULT 0
);
INSERT INTO event VALUES(1,1,1794819600000,'attempt',1,'',0,'','',0);
INSERT INTO event VALUES(2,1,1794819600000,'accepted',1,'',0,'','',0);
INSERT INTO event VALUES(3,2,1794819600000,'attempt',1,'',0,'','',0);
INSERT INTO event VALUES(4,2,1794819600000,'refused',1,'',550,'5.1.1','5.1.1 User unknown',20);
INSERT INTO event VALUES(5,3,1794819600000,'held',0,'',0,'','by the operator',0);
INSERT INTO event VALUES(6,4,1794819600000,'cancelled',0,'',0,'','by the operator',0);
INSERT INTO event VALUES(7,5,1794819600000,'attempt',1,'',0,'','',0);
CREATE TABLE usage (
  mailbox TEXT   NOT NULL,
  span    INTEGER NOT NULL,                  -- width of a bucket
  bucket  INTEGER NOT NULL,                  -- time divided by span
  msgs    INTEGER NOT NULL,
  rcpts   INTEGER NOT NULL,
  PRIMARY KEY (mailbox, span, bucket)
) WITHOUT ROWID;
INSERT INTO usage VALUES('app@contoso.example',100,17948196000,2,3);
INSERT INTO usage VALUES('app@contoso.example',600000,2991366,2,3);
CREATE TABLE notice (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  kind    TEXT   NOT NULL,                  -- held, paused, dead, in doubt
  mailbox TEXT   NOT NULL,
  mail_id INTEGER NOT NULL DEFAULT 0,        -- 0: it is about the mailbox
  code    TEXT   NOT NULL DEFAULT '',       -- of the catalogue
  text    TEXT   NOT NULL DEFAULT ''
);
INSERT INTO notice VALUES(1,1794819600000,'dead','app@contoso.example',2,'permanent-kind','550 5.1.1 User unknown');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('batch',1);
INSERT INTO sqlite_sequence VALUES('mail',7);
INSERT INTO sqlite_sequence VALUES('event',7);
INSERT INTO sqlite_sequence VALUES('notice',1);
CREATE INDEX mail_ready ON mail (mailbox, prio, ready_at, id) WHERE state = 'ready';
CREATE INDEX mail_sending ON mail (mailbox) WHERE state = 'sending';
CREATE INDEX mail_parked ON mail (state, mailbox) WHERE state = 'held' OR state = 'receiving';
CREATE INDEX mail_expiring ON mail (expires_at) WHERE expires_at > 0 AND (state = 'ready' OR state = 'held');
CREATE INDEX mail_finished ON mail (finished_at, state, mailbox) WHERE finished_at IS NOT NULL;
CREATE INDEX mail_batch ON mail (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX mail_body_left ON mail (id) WHERE body_left = 1;
CREATE UNIQUE INDEX mail_dedupe ON mail (dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE INDEX rcpt_addr ON rcpt (lower(addr)) WHERE state <> 'open';
CREATE INDEX event_mail ON event (mail_id, id);
COMMIT;
