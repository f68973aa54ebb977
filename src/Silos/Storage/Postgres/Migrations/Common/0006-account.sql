-- People of a role who sign in by name and password. The body is the account as JSON; the password in it is a salted hash.
CREATE TABLE account (
    name text PRIMARY KEY,
    version int NOT NULL,
    body text NOT NULL
);

-- Sessions that were ended before their time, until they would have ended by themselves.
CREATE TABLE ended_session (
    id text PRIMARY KEY,
    until_seconds bigint NOT NULL
);
