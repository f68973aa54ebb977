-- What the market keeps. Bodies are JSON; what is looked up by stands beside them.
CREATE TABLE market_file (
    sha256 text PRIMARY KEY,
    content bytea NOT NULL
);

CREATE TABLE market_request (
    key text PRIMARY KEY,
    version bigint NOT NULL,
    researcher text NOT NULL,
    ended boolean NOT NULL,
    placed bigserial NOT NULL,
    body text NOT NULL
);

CREATE INDEX market_request_researcher ON market_request (researcher, placed);
CREATE INDEX market_request_open ON market_request (placed) WHERE NOT ended;

CREATE TABLE market_round (
    schema_id text NOT NULL,
    ordinal bigint NOT NULL,
    attempt bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (schema_id, ordinal, attempt)
);

CREATE TABLE market_order (
    site bigint NOT NULL,
    sequence bigint NOT NULL,
    request_id numeric(20) NOT NULL,
    attempt bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (site, sequence),
    UNIQUE (site, request_id, attempt)
);

CREATE TABLE market_delivery (
    request_id numeric(20) NOT NULL,
    site bigint NOT NULL,
    attempt bigint NOT NULL,
    file_hash text NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (request_id, site, attempt, file_hash)
);

CREATE TABLE market_results (
    request_key text PRIMARY KEY,
    body text NOT NULL
);
