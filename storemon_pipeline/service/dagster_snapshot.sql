CREATE TABLE alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE asset_check_executions (
    id bigint NOT NULL,
    asset_key text,
    check_name text,
    partition text,
    run_id character varying(255),
    execution_status character varying(255),
    evaluation_event text,
    evaluation_event_timestamp timestamp without time zone,
    evaluation_event_storage_id bigint,
    materialization_event_storage_id bigint,
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE SEQUENCE asset_check_executions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE asset_check_executions_id_seq OWNED BY asset_check_executions.id;

CREATE TABLE asset_daemon_asset_evaluations (
    id bigint NOT NULL,
    evaluation_id bigint,
    asset_key text,
    asset_evaluation_body text,
    num_requested integer,
    num_skipped integer,
    num_discarded integer,
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE SEQUENCE asset_daemon_asset_evaluations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE asset_daemon_asset_evaluations_id_seq OWNED BY asset_daemon_asset_evaluations.id;

CREATE TABLE asset_event_tags (
    id bigint NOT NULL,
    event_id bigint,
    asset_key text NOT NULL,
    key text NOT NULL,
    value text,
    event_timestamp timestamp without time zone
);

CREATE SEQUENCE asset_event_tags_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE asset_event_tags_id_seq OWNED BY asset_event_tags.id;

CREATE TABLE asset_keys (
    id bigint NOT NULL,
    asset_key character varying(512),
    last_materialization text,
    last_run_id character varying(255),
    asset_details text,
    wipe_timestamp timestamp without time zone,
    last_materialization_timestamp timestamp without time zone,
    tags text,
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    cached_status_data text
);

CREATE SEQUENCE asset_keys_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE asset_keys_id_seq OWNED BY asset_keys.id;

CREATE TABLE backfill_tags (
    id bigint NOT NULL,
    backfill_id character varying(255),
    key text,
    value text
);

CREATE SEQUENCE backfill_tags_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE backfill_tags_id_seq OWNED BY backfill_tags.id;

CREATE TABLE bulk_actions (
    id bigint NOT NULL,
    key character varying(32) NOT NULL,
    status character varying(255) NOT NULL,
    "timestamp" timestamp without time zone NOT NULL,
    body text,
    action_type character varying(32),
    selector_id text,
    job_name text
);

CREATE SEQUENCE bulk_actions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE bulk_actions_id_seq OWNED BY bulk_actions.id;

CREATE TABLE concurrency_limits (
    id bigint NOT NULL,
    concurrency_key character varying(512) NOT NULL,
    "limit" integer NOT NULL,
    using_default_limit boolean DEFAULT false NOT NULL,
    update_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE SEQUENCE concurrency_limits_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE concurrency_limits_id_seq OWNED BY concurrency_limits.id;

CREATE TABLE concurrency_slots (
    id bigint NOT NULL,
    concurrency_key text NOT NULL,
    run_id text,
    step_key text,
    deleted boolean NOT NULL,
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE SEQUENCE concurrency_slots_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE concurrency_slots_id_seq OWNED BY concurrency_slots.id;

CREATE TABLE daemon_heartbeats (
    id bigint NOT NULL,
    daemon_type character varying(255) NOT NULL,
    daemon_id character varying(255),
    "timestamp" timestamp without time zone NOT NULL,
    body text
);

CREATE SEQUENCE daemon_heartbeats_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE daemon_heartbeats_id_seq OWNED BY daemon_heartbeats.id;

CREATE TABLE dynamic_partitions (
    id bigint NOT NULL,
    partitions_def_name text NOT NULL,
    partition text NOT NULL,
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE SEQUENCE dynamic_partitions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE dynamic_partitions_id_seq OWNED BY dynamic_partitions.id;

CREATE TABLE event_logs (
    id bigint NOT NULL,
    run_id character varying(255),
    event text NOT NULL,
    dagster_event_type text,
    "timestamp" timestamp without time zone,
    step_key text,
    asset_key text,
    partition text
);

CREATE SEQUENCE event_logs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE event_logs_id_seq OWNED BY event_logs.id;

CREATE TABLE instance_info (
    id bigint NOT NULL,
    run_storage_id text
);

CREATE SEQUENCE instance_info_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE instance_info_id_seq OWNED BY instance_info.id;

CREATE TABLE instigators (
    id bigint NOT NULL,
    selector_id character varying(255),
    repository_selector_id character varying(255),
    status character varying(63),
    instigator_type character varying(63),
    instigator_body text,
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    update_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE SEQUENCE instigators_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE instigators_id_seq OWNED BY instigators.id;

CREATE TABLE job_ticks (
    id bigint NOT NULL,
    job_origin_id character varying(255),
    selector_id character varying(255),
    status character varying(63),
    type character varying(63),
    "timestamp" timestamp without time zone,
    tick_body text,
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    update_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE SEQUENCE job_ticks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE job_ticks_id_seq OWNED BY job_ticks.id;

CREATE TABLE jobs (
    id bigint NOT NULL,
    job_origin_id character varying(255),
    selector_id character varying(255),
    repository_origin_id character varying(255),
    status character varying(63),
    job_type character varying(63),
    job_body text,
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    update_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE SEQUENCE jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE jobs_id_seq OWNED BY jobs.id;

CREATE TABLE kvs (
    id bigint NOT NULL,
    key text NOT NULL,
    value text
);

CREATE SEQUENCE kvs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE kvs_id_seq OWNED BY kvs.id;

CREATE TABLE pending_steps (
    id bigint NOT NULL,
    concurrency_key text NOT NULL,
    run_id text,
    step_key text,
    priority integer,
    assigned_timestamp timestamp without time zone,
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE SEQUENCE pending_steps_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE pending_steps_id_seq OWNED BY pending_steps.id;

CREATE TABLE run_tags (
    id bigint NOT NULL,
    run_id character varying(255),
    key text,
    value text
);

CREATE SEQUENCE run_tags_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE run_tags_id_seq OWNED BY run_tags.id;

CREATE TABLE runs (
    id bigint NOT NULL,
    run_id character varying(255),
    snapshot_id character varying(255),
    pipeline_name text,
    mode text,
    status character varying(63),
    run_body text,
    partition text,
    partition_set text,
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    update_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    start_time double precision,
    end_time double precision,
    backfill_id character varying(255)
);

CREATE SEQUENCE runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE runs_id_seq OWNED BY runs.id;

CREATE TABLE secondary_indexes (
    id bigint NOT NULL,
    name character varying(512),
    create_timestamp timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    migration_completed timestamp without time zone
);

CREATE SEQUENCE secondary_indexes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE secondary_indexes_id_seq OWNED BY secondary_indexes.id;

CREATE TABLE snapshots (
    id bigint NOT NULL,
    snapshot_id character varying(255) NOT NULL,
    snapshot_body bytea NOT NULL,
    snapshot_type character varying(63) NOT NULL
);

CREATE SEQUENCE snapshots_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE snapshots_id_seq OWNED BY snapshots.id;

ALTER TABLE ONLY asset_check_executions ALTER COLUMN id SET DEFAULT nextval('asset_check_executions_id_seq'::regclass);

ALTER TABLE ONLY asset_daemon_asset_evaluations ALTER COLUMN id SET DEFAULT nextval('asset_daemon_asset_evaluations_id_seq'::regclass);

ALTER TABLE ONLY asset_event_tags ALTER COLUMN id SET DEFAULT nextval('asset_event_tags_id_seq'::regclass);

ALTER TABLE ONLY asset_keys ALTER COLUMN id SET DEFAULT nextval('asset_keys_id_seq'::regclass);

ALTER TABLE ONLY backfill_tags ALTER COLUMN id SET DEFAULT nextval('backfill_tags_id_seq'::regclass);

ALTER TABLE ONLY bulk_actions ALTER COLUMN id SET DEFAULT nextval('bulk_actions_id_seq'::regclass);

ALTER TABLE ONLY concurrency_limits ALTER COLUMN id SET DEFAULT nextval('concurrency_limits_id_seq'::regclass);

ALTER TABLE ONLY concurrency_slots ALTER COLUMN id SET DEFAULT nextval('concurrency_slots_id_seq'::regclass);

ALTER TABLE ONLY daemon_heartbeats ALTER COLUMN id SET DEFAULT nextval('daemon_heartbeats_id_seq'::regclass);

ALTER TABLE ONLY dynamic_partitions ALTER COLUMN id SET DEFAULT nextval('dynamic_partitions_id_seq'::regclass);

ALTER TABLE ONLY event_logs ALTER COLUMN id SET DEFAULT nextval('event_logs_id_seq'::regclass);

ALTER TABLE ONLY instance_info ALTER COLUMN id SET DEFAULT nextval('instance_info_id_seq'::regclass);

ALTER TABLE ONLY instigators ALTER COLUMN id SET DEFAULT nextval('instigators_id_seq'::regclass);

ALTER TABLE ONLY job_ticks ALTER COLUMN id SET DEFAULT nextval('job_ticks_id_seq'::regclass);

ALTER TABLE ONLY jobs ALTER COLUMN id SET DEFAULT nextval('jobs_id_seq'::regclass);

ALTER TABLE ONLY kvs ALTER COLUMN id SET DEFAULT nextval('kvs_id_seq'::regclass);

ALTER TABLE ONLY pending_steps ALTER COLUMN id SET DEFAULT nextval('pending_steps_id_seq'::regclass);

ALTER TABLE ONLY run_tags ALTER COLUMN id SET DEFAULT nextval('run_tags_id_seq'::regclass);

ALTER TABLE ONLY runs ALTER COLUMN id SET DEFAULT nextval('runs_id_seq'::regclass);

ALTER TABLE ONLY secondary_indexes ALTER COLUMN id SET DEFAULT nextval('secondary_indexes_id_seq'::regclass);

ALTER TABLE ONLY snapshots ALTER COLUMN id SET DEFAULT nextval('snapshots_id_seq'::regclass);

INSERT INTO alembic_version VALUES ('29b539ebc72a');

INSERT INTO secondary_indexes VALUES (1, 'run_partitions', '2026-11-29 08:27:52.504298', '2026-11-29 08:27:52.49807');
INSERT INTO secondary_indexes VALUES (2, 'run_repo_label_tags', '2026-11-29 08:27:52.529241', '2026-11-29 08:27:52.524543');
INSERT INTO secondary_indexes VALUES (3, 'bulk_action_types', '2026-11-29 08:27:52.558373', '2026-11-29 08:27:52.550282');
INSERT INTO secondary_indexes VALUES (4, 'run_backfill_id', '2026-11-29 08:27:52.582548', '2026-11-29 08:27:52.57433');
INSERT INTO secondary_indexes VALUES (5, 'backfill_job_name_and_tags', '2026-11-29 08:27:52.609695', '2026-11-29 08:27:52.60682');
INSERT INTO secondary_indexes VALUES (6, 'backfill_end_timestamp', '2026-11-29 08:27:52.63216', '2026-11-29 08:27:52.629949');
INSERT INTO secondary_indexes VALUES (7, 'run_start_end_overwritten', '2026-11-29 08:27:52.697198', '2026-11-29 08:27:52.691151');
INSERT INTO secondary_indexes VALUES (8, 'asset_key_table', '2026-11-29 08:27:52.909003', '2026-11-29 08:27:52.902882');
INSERT INTO secondary_indexes VALUES (9, 'asset_key_index_columns', '2026-11-29 08:27:52.938176', '2026-11-29 08:27:52.931697');
INSERT INTO secondary_indexes VALUES (10, 'schedule_jobs_selector_id', '2026-11-29 08:27:53.110013', '2026-11-29 08:27:53.100783');
INSERT INTO secondary_indexes VALUES (11, 'schedule_ticks_selector_id', '2026-11-29 08:27:53.16858', '2026-11-29 08:27:53.164825');

SELECT pg_catalog.setval('asset_check_executions_id_seq', 1, false);

SELECT pg_catalog.setval('asset_daemon_asset_evaluations_id_seq', 1, false);

SELECT pg_catalog.setval('asset_event_tags_id_seq', 1, false);

SELECT pg_catalog.setval('asset_keys_id_seq', 1, false);

SELECT pg_catalog.setval('backfill_tags_id_seq', 1, false);

SELECT pg_catalog.setval('bulk_actions_id_seq', 1, false);

SELECT pg_catalog.setval('concurrency_limits_id_seq', 1, false);

SELECT pg_catalog.setval('concurrency_slots_id_seq', 1, false);

SELECT pg_catalog.setval('daemon_heartbeats_id_seq', 1, false);

SELECT pg_catalog.setval('dynamic_partitions_id_seq', 1, false);

SELECT pg_catalog.setval('event_logs_id_seq', 1, false);

SELECT pg_catalog.setval('instance_info_id_seq', 1, false);

SELECT pg_catalog.setval('instigators_id_seq', 1, false);

SELECT pg_catalog.setval('job_ticks_id_seq', 1, false);

SELECT pg_catalog.setval('jobs_id_seq', 1, false);

SELECT pg_catalog.setval('kvs_id_seq', 1, false);

SELECT pg_catalog.setval('pending_steps_id_seq', 1, false);

SELECT pg_catalog.setval('run_tags_id_seq', 1, false);

SELECT pg_catalog.setval('runs_id_seq', 1, false);

SELECT pg_catalog.setval('secondary_indexes_id_seq', 11, true);

SELECT pg_catalog.setval('snapshots_id_seq', 1, false);

ALTER TABLE ONLY alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY asset_check_executions
    ADD CONSTRAINT asset_check_executions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY asset_daemon_asset_evaluations
    ADD CONSTRAINT asset_daemon_asset_evaluations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY asset_event_tags
    ADD CONSTRAINT asset_event_tags_pkey PRIMARY KEY (id);

ALTER TABLE ONLY asset_keys
    ADD CONSTRAINT asset_keys_asset_key_key UNIQUE (asset_key);

ALTER TABLE ONLY asset_keys
    ADD CONSTRAINT asset_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY backfill_tags
    ADD CONSTRAINT backfill_tags_pkey PRIMARY KEY (id);

ALTER TABLE ONLY bulk_actions
    ADD CONSTRAINT bulk_actions_key_key UNIQUE (key);

ALTER TABLE ONLY bulk_actions
    ADD CONSTRAINT bulk_actions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY concurrency_limits
    ADD CONSTRAINT concurrency_limits_concurrency_key_key UNIQUE (concurrency_key);

ALTER TABLE ONLY concurrency_limits
    ADD CONSTRAINT concurrency_limits_pkey PRIMARY KEY (id);

ALTER TABLE ONLY concurrency_slots
    ADD CONSTRAINT concurrency_slots_pkey PRIMARY KEY (id);

ALTER TABLE ONLY daemon_heartbeats
    ADD CONSTRAINT daemon_heartbeats_daemon_type_key UNIQUE (daemon_type);

ALTER TABLE ONLY daemon_heartbeats
    ADD CONSTRAINT daemon_heartbeats_pkey PRIMARY KEY (id);

ALTER TABLE ONLY dynamic_partitions
    ADD CONSTRAINT dynamic_partitions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY event_logs
    ADD CONSTRAINT event_logs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY instance_info
    ADD CONSTRAINT instance_info_pkey PRIMARY KEY (id);

ALTER TABLE ONLY instigators
    ADD CONSTRAINT instigators_pkey PRIMARY KEY (id);

ALTER TABLE ONLY instigators
    ADD CONSTRAINT instigators_selector_id_key UNIQUE (selector_id);

ALTER TABLE ONLY job_ticks
    ADD CONSTRAINT job_ticks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY jobs
    ADD CONSTRAINT jobs_job_origin_id_key UNIQUE (job_origin_id);

ALTER TABLE ONLY jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY kvs
    ADD CONSTRAINT kvs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY pending_steps
    ADD CONSTRAINT pending_steps_pkey PRIMARY KEY (id);

ALTER TABLE ONLY run_tags
    ADD CONSTRAINT run_tags_pkey PRIMARY KEY (id);

ALTER TABLE ONLY runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY runs
    ADD CONSTRAINT runs_run_id_key UNIQUE (run_id);

ALTER TABLE ONLY secondary_indexes
    ADD CONSTRAINT secondary_indexes_name_key UNIQUE (name);

ALTER TABLE ONLY secondary_indexes
    ADD CONSTRAINT secondary_indexes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY snapshots
    ADD CONSTRAINT snapshots_pkey PRIMARY KEY (id);

ALTER TABLE ONLY snapshots
    ADD CONSTRAINT snapshots_snapshot_id_key UNIQUE (snapshot_id);

CREATE INDEX idx_asset_check_executions ON asset_check_executions USING btree (asset_key, check_name, materialization_event_storage_id, partition);

CREATE UNIQUE INDEX idx_asset_check_executions_unique ON asset_check_executions USING btree (asset_key, check_name, run_id, partition);

CREATE UNIQUE INDEX idx_asset_daemon_asset_evaluations_asset_key_evaluation_id ON asset_daemon_asset_evaluations USING btree (asset_key, evaluation_id);

CREATE INDEX idx_asset_event_tags ON asset_event_tags USING btree (asset_key, key, value);

CREATE INDEX idx_asset_event_tags_event_id ON asset_event_tags USING btree (event_id);

CREATE INDEX idx_backfill_tags_backfill_id ON backfill_tags USING btree (backfill_id, id);

CREATE INDEX idx_bulk_actions ON bulk_actions USING btree (key);

CREATE INDEX idx_bulk_actions_action_type ON bulk_actions USING btree (action_type);

CREATE INDEX idx_bulk_actions_selector_id ON bulk_actions USING btree (selector_id);

CREATE INDEX idx_bulk_actions_status ON bulk_actions USING btree (status);

CREATE UNIQUE INDEX idx_dynamic_partitions ON dynamic_partitions USING btree (partitions_def_name, partition);

CREATE INDEX idx_event_type ON event_logs USING btree (dagster_event_type, id);

CREATE INDEX idx_events_by_asset ON event_logs USING btree (asset_key, dagster_event_type, id) WHERE (asset_key IS NOT NULL);

CREATE INDEX idx_events_by_asset_partition ON event_logs USING btree (asset_key, dagster_event_type, partition, id) WHERE ((asset_key IS NOT NULL) AND (partition IS NOT NULL));

CREATE INDEX idx_events_by_run_id ON event_logs USING btree (run_id, id);

CREATE INDEX idx_job_tick_status ON job_ticks USING btree (job_origin_id, status);

CREATE INDEX idx_job_tick_timestamp ON job_ticks USING btree (job_origin_id, "timestamp");

CREATE UNIQUE INDEX idx_kvs_keys_unique ON kvs USING btree (key);

CREATE UNIQUE INDEX idx_pending_steps ON pending_steps USING btree (concurrency_key, run_id, step_key);

CREATE INDEX idx_run_partitions ON runs USING btree (partition_set, partition);

CREATE INDEX idx_run_range ON runs USING btree (status, update_timestamp, create_timestamp);

CREATE INDEX idx_run_status ON runs USING btree (status);

CREATE INDEX idx_run_tags ON run_tags USING btree (key, value);

CREATE INDEX idx_run_tags_run_idx ON run_tags USING btree (run_id, id);

CREATE INDEX idx_runs_by_backfill_id ON runs USING btree (backfill_id, id);

CREATE INDEX idx_runs_by_job ON runs USING btree (pipeline_name, id);

CREATE INDEX idx_step_key ON event_logs USING btree (step_key);

CREATE INDEX idx_tick_selector_timestamp ON job_ticks USING btree (selector_id, "timestamp");

CREATE INDEX ix_asset_daemon_asset_evaluations_evaluation_id ON asset_daemon_asset_evaluations USING btree (evaluation_id);

CREATE INDEX ix_instigators_instigator_type ON instigators USING btree (instigator_type);

CREATE INDEX ix_job_ticks_job_origin_id ON job_ticks USING btree (job_origin_id);

CREATE INDEX ix_jobs_job_type ON jobs USING btree (job_type);

ALTER TABLE ONLY runs
    ADD CONSTRAINT fk_runs_snapshot_id_snapshots_snapshot_id FOREIGN KEY (snapshot_id) REFERENCES snapshots(snapshot_id);

ALTER TABLE ONLY run_tags
    ADD CONSTRAINT run_tags_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id) ON DELETE CASCADE;
