-- That the database was put back from a backup, which its site has to make good before it hands anything over (docs/BACKUP.md).
CREATE TABLE site_restore (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    snapshot_seconds bigint NOT NULL,
    ledger_seconds bigint NOT NULL DEFAULT 0,
    is_confirmed boolean NOT NULL DEFAULT false
);
