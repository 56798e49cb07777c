-- Rows of batches whose messages were removed, so that a batch that is started
-- again does not submit them again.
CREATE TABLE past (
  batch_id    BIGINT NOT NULL,
  row_key     TEXT   NOT NULL,
  mail_id     BIGINT NOT NULL,
  state       TEXT   NOT NULL,             -- sent, dead, cancelled; held: in doubt to the end
  doubts      BIGINT NOT NULL,
  finished_at BIGINT NOT NULL,
  PRIMARY KEY (batch_id, row_key)
) CLUSTERED;
CREATE INDEX past_finished ON past (finished_at);
