-- The days for which it was kept who had withdrawn when they began; who, is sealed.
CREATE TABLE site_withdrawn (
    schema_id text NOT NULL,
    day bigint NOT NULL,
    PRIMARY KEY (schema_id, day)
);
