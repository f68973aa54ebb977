-- migration 0001 dc9d1adc06561c2fd8f4ffb9726abce05f9b8896699fb2f2ae02886d3c318980
-- migration 0002 a6a7011eadeb2949ff88e31d3c759be8f12565eed469328ea100d88bab2fc4d9
-- migration 0003 b37462f70b7106e9b68c94111cefbd9c146486e5d3faa5e389fcf53183041bdc
-- migration 0005 1c00505d682d4b2f6abfe9bd85e397170d9710e5a229402953b485d3e79941df
-- migration 0006 101cfedc0917c4bd0742f8de69dba17f7697a5c828a8e2e1d5ceff0eb1214164
-- migration 0010 7e39d8ae1a2261ef5cc7d384909ebddd42e83e1f81dfdd43a536a5ac0929432f
COPY account (name, version, body) FROM STDIN;
\.
COPY ended_session (id, until_seconds) FROM STDIN;
\.
COPY grain_state (grain_type, grain_key, state_name, payload, version) FROM STDIN;
\.
COPY ledger_checkpoint (block_number, block_hash) FROM STDIN;
\.
COPY ledger_command (sender, id, ordinal, target, data, gas_limit, refusal) FROM STDIN;
\.
COPY ledger_event (block_number, log_index, block_seconds, transaction_hash, contract, topics, data) FROM STDIN;
\.
COPY ledger_transaction (sender, id, nonce, is_open, entry) FROM STDIN;
\.
COPY market_delivery (request_id, site, attempt, file_hash, body) FROM STDIN;
\.
COPY market_file (sha256, content) FROM STDIN;
f	\\x66696c65
\.
COPY market_link_nonce (sender, nonce, expires_seconds) FROM STDIN;
\.
COPY market_order (site, sequence, request_id, attempt, body) FROM STDIN;
7	1	1	0	{"Site":7,"Sequence":0,"RequestId":1,"RequestKey":"aa","RoundFileHash":"f","Attempt":0}
\.
COPY market_request (key, version, researcher, ended, placed, body) FROM STDIN;
aa	1	0xab	f	1	{"Key":"aa","Version":1,"Researcher":"0xab","SchemaId":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","TermsJson":"{}","RequestId":0,"Steps":[{"State":1,"Seconds":1,"Reason":"a test"}],"Sold":0,"Delivered":0,"Paid":0,"Refunded":0,"EffectivePpb":0,"State":1,"HasEnded":false}
\.
COPY market_restore (one, snapshot_seconds, orders_above) FROM STDIN;
\.
COPY market_results (request_key, body) FROM STDIN;
aa	{}
\.
COPY market_round (schema_id, ordinal, attempt, body) FROM STDIN;
\.
SELECT setval('market_request_placed_seq', 1);
