-- What a site keeps. All content is sealed (docs/DATA_MODEL.md, "What a site keeps"); what stands beside it in the clear says how much there is, and nothing about whom.
CREATE TABLE site_key (
    id int PRIMARY KEY,
    wrapped bytea NOT NULL
);

-- Content in parts, each of which names its key in its first four bytes: no part outlives its key, and none is written under one that is gone.
CREATE TABLE site_sealed (
    place text NOT NULL,
    part int NOT NULL,
    sealed bytea NOT NULL,
    key_id int NOT NULL GENERATED ALWAYS AS ((get_byte(sealed, 0) << 24) | (get_byte(sealed, 1) << 16) | (get_byte(sealed, 2) << 8) | get_byte(sealed, 3)) STORED REFERENCES site_key (id),
    PRIMARY KEY (place, part)
);

ALTER TABLE site_sealed ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE INDEX site_sealed_key ON site_sealed (key_id);

-- The state of a site's grains is sealed too, under the same rule.
ALTER TABLE grain_state ADD COLUMN key_id int NOT NULL
    GENERATED ALWAYS AS ((get_byte(payload, 0) << 24) | (get_byte(payload, 1) << 16) | (get_byte(payload, 2) << 8) | get_byte(payload, 3)) STORED REFERENCES site_key (id);
CREATE INDEX grain_state_key ON grain_state (key_id);

CREATE TABLE site_records (
    ordinal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_id text NOT NULL,
    batch_id text NOT NULL UNIQUE
);

CREATE TABLE site_policies (
    ordinal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_id text NOT NULL
);

CREATE INDEX site_policies_schema ON site_policies (schema_id, ordinal);

CREATE TABLE site_file (
    sha256 text PRIMARY KEY
);

CREATE TABLE site_epoch (
    schema_id text NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (schema_id, epoch)
);

CREATE TABLE site_order (
    sequence bigint PRIMARY KEY,
    version bigint NOT NULL
);
