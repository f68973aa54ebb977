-- That the database was put back from a backup: orders placed since then are numbered above all that sites may have seen before.
CREATE TABLE market_restore (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    snapshot_seconds bigint NOT NULL,
    orders_above bigint NOT NULL
);
