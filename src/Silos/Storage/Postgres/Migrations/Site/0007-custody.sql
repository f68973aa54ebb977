-- What patients hand in who have their own seed. The mark is SHA-256 of the sealed content, which holds 32 secret bytes: it tells nobody anything.
CREATE TABLE site_account (
    ordinal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mark text NOT NULL UNIQUE
);

CREATE TABLE site_revocation (
    schema_id text NOT NULL,
    pseudonym text NOT NULL,
    PRIMARY KEY (schema_id, pseudonym)
);
