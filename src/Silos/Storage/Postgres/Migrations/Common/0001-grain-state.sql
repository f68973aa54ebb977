-- The state of grains: bytes under a key with a version. Versions come from one sequence, so none ever comes back, also not after a clearing.
CREATE SEQUENCE grain_state_version;

CREATE TABLE grain_state (
    grain_type text NOT NULL,
    grain_key text NOT NULL,
    state_name text NOT NULL,
    payload bytea NOT NULL,
    version bigint NOT NULL DEFAULT nextval('grain_state_version'),
    PRIMARY KEY (grain_type, grain_key, state_name)
);
