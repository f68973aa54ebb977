-- The messages that were taken from sites lately, so that none is taken twice.
CREATE TABLE market_link_nonce (
    sender bytea NOT NULL,
    nonce bytea NOT NULL,
    expires_seconds bigint NOT NULL,
    PRIMARY KEY (sender, nonce)
);

CREATE INDEX market_link_nonce_expires ON market_link_nonce (expires_seconds);
