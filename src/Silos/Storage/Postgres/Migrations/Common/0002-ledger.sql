-- What the contracts logged, in the order of the chain; all tables of the ledger's view follow from it.
CREATE TABLE ledger_event (
    block_number bigint NOT NULL,
    log_index bigint NOT NULL,
    block_seconds bigint NOT NULL,
    transaction_hash bytea NOT NULL,
    contract bytea NOT NULL,
    topics bytea NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (block_number, log_index)
);

-- The blocks up to which events were read, which tell whether the chain is still the same.
CREATE TABLE ledger_checkpoint (
    block_number bigint PRIMARY KEY,
    block_hash bytea NOT NULL
);

-- What an account is to send, in the order in which it was decided.
CREATE TABLE ledger_command (
    sender text NOT NULL,
    id text NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    target bytea NOT NULL,
    data bytea NOT NULL,
    gas_limit bigint,
    refusal text,
    PRIMARY KEY (sender, id)
);

-- What an account signed; kept before it is sent.
CREATE TABLE ledger_transaction (
    sender text NOT NULL,
    id text NOT NULL,
    nonce bigint NOT NULL,
    is_open boolean NOT NULL,
    entry text NOT NULL,
    PRIMARY KEY (sender, id)
);

CREATE INDEX ledger_transaction_nonce ON ledger_transaction (sender, nonce);
CREATE INDEX ledger_transaction_open ON ledger_transaction (sender) WHERE is_open;
