CREATE FUNCTION daily_stale_closures_added() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(since) FROM (SELECT s.store_key, added.start_local - interval '26 hours' AS since FROM added JOIN stores s ON added.store_key IS NULL OR s.store_key = added.store_key) AS changes
        WHERE since < (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state)
        GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_closures_removed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(since) FROM (SELECT s.store_key, removed.start_local - interval '26 hours' AS since FROM removed JOIN stores s ON removed.store_key IS NULL OR s.store_key = removed.store_key) AS changes
        WHERE since < (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state)
        GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_corrections_added() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(from_at) - interval '192 hours' FROM added GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_corrections_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(from_at) - interval '192 hours' FROM removed GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_corrections_removed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(from_at) - interval '192 hours' FROM removed GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_events_added() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(from_at) - interval '192 hours' FROM added GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_events_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(from_at) - interval '192 hours' FROM removed GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_events_removed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(from_at) - interval '192 hours' FROM removed GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_hours_added() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(since) FROM (SELECT store_key, valid_from AS since FROM added) AS changes
        WHERE since < (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state)
        GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_hours_removed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(since) FROM (SELECT store_key, valid_from AS since FROM removed) AS changes
        WHERE since < (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state)
        GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_run_turned() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
    DECLARE
        settled timestamptz := (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state);
        since timestamptz := greatest(
            new.first_poll_at - interval '192 hours',
            least(new.first_poll_at, coalesce((
                SELECT before.last_poll_at FROM status_runs before
                WHERE before.store_key = new.store_key
                  AND before.first_poll_at < new.first_poll_at
                ORDER BY before.first_poll_at DESC LIMIT 1
            ), '-infinity'))
        );
    BEGIN
        IF since < settled THEN
            INSERT INTO store_uptime_daily_stale AS s (store_key, since)
            VALUES (new.store_key, since)
            ON CONFLICT (store_key) DO UPDATE SET since = least(s.since, excluded.since);
        END IF;
        RETURN NULL;
    END $$;

CREATE FUNCTION daily_stale_runs_added() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(since) FROM (
    SELECT r.store_key, greatest(
        r.first_poll_at - interval '192 hours', least(r.first_poll_at, before.last_poll_at)
    ) AS since
    FROM added r
    CROSS JOIN LATERAL (
        SELECT coalesce((
            SELECT b.last_poll_at FROM status_runs b
            WHERE b.store_key = r.store_key AND b.first_poll_at < r.first_poll_at
            ORDER BY b.first_poll_at DESC LIMIT 1
        ), '-infinity') AS last_poll_at
    ) before
) AS changes
        WHERE since < (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state)
        GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_runs_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
    DECLARE
        settled timestamptz := (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state);
    BEGIN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(last_poll_at) FROM (
            SELECT store_key, last_poll_at FROM removed WHERE last_poll_at < settled
            UNION ALL
            SELECT store_key, last_poll_at FROM added WHERE last_poll_at < settled
        ) AS changes
        GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
        RETURN NULL;
    END $$;

CREATE FUNCTION daily_stale_runs_removed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(since) FROM (
    SELECT r.store_key, greatest(
        r.first_poll_at - interval '192 hours', least(r.first_poll_at, before.last_poll_at)
    ) AS since
    FROM removed r
    CROSS JOIN LATERAL (
        SELECT coalesce((
            SELECT b.last_poll_at FROM status_runs b
            WHERE b.store_key = r.store_key AND b.first_poll_at < r.first_poll_at
            ORDER BY b.first_poll_at DESC LIMIT 1
        ), '-infinity') AS last_poll_at
    ) before
) AS changes
        WHERE since < (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state)
        GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_special_hours() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
        IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
            INSERT INTO store_uptime_daily_stale (store_key, since)
            SELECT store_key, min(local_date - interval '26 hours') FROM changed
            WHERE local_date - interval '26 hours'
                < (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state)
            GROUP BY store_key
            ON CONFLICT (store_key) DO UPDATE
            SET since = least(store_uptime_daily_stale.since, excluded.since);
        END IF;
        RETURN NULL;
    END $$;

CREATE FUNCTION daily_stale_zones_added() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(since) FROM (SELECT store_key, '-infinity'::timestamptz AS since FROM added) AS changes
        WHERE since < (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state)
        GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION daily_stale_zones_removed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(since) FROM (SELECT store_key, '-infinity'::timestamptz AS since FROM removed) AS changes
        WHERE since < (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state)
        GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION mark_stale_weeks() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
        IF EXISTS (SELECT FROM intervals_state) THEN
            INSERT INTO stale_weeks SELECT DISTINCT store_key FROM changed ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END $$;

CREATE FUNCTION mark_unchecked_weeks() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
        IF EXISTS (SELECT FROM intervals_state WHERE is_checked) THEN
            INSERT INTO unchecked_weeks SELECT DISTINCT store_key FROM changed
            ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END $$;

CREATE FUNCTION newest_poll_added() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    INSERT INTO newest_poll (polled_at)
    SELECT max(last_poll_at) FROM added HAVING max(last_poll_at) IS NOT NULL
    ON CONFLICT (is_only_row) DO UPDATE SET polled_at = excluded.polled_at
    WHERE newest_poll.polled_at < excluded.polled_at
; RETURN NULL; END $$;

CREATE FUNCTION newest_poll_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF (SELECT max(last_poll_at) FROM added) >= (SELECT polled_at FROM newest_poll) THEN
        
    INSERT INTO newest_poll (polled_at)
    SELECT max(last_poll_at) FROM added HAVING max(last_poll_at) IS NOT NULL
    ON CONFLICT (is_only_row) DO UPDATE SET polled_at = excluded.polled_at
    WHERE newest_poll.polled_at < excluded.polled_at
;
    ELSE
        
    IF (SELECT max(last_poll_at) FROM removed) >= (SELECT polled_at FROM newest_poll) THEN
        DELETE FROM newest_poll;
        INSERT INTO newest_poll (polled_at)
        SELECT max(last_poll_at) FROM status_runs HAVING max(last_poll_at) IS NOT NULL;
    END IF
;
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION newest_poll_removed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    IF (SELECT max(last_poll_at) FROM removed) >= (SELECT polled_at FROM newest_poll) THEN
        DELETE FROM newest_poll;
        INSERT INTO newest_poll (polled_at)
        SELECT max(last_poll_at) FROM status_runs HAVING max(last_poll_at) IS NOT NULL;
    END IF
; RETURN NULL; END $$;

CREATE FUNCTION refuse_change_of_sent() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
        RAISE EXCEPTION 'a statement that was sent is never changed';
    END $$;

CREATE TABLE account_links (
    token_sha256 bytea NOT NULL,
    account_id bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_account_links_token_sha256 CHECK ((length(token_sha256) = 32))
);

COMMENT ON TABLE account_links IS 'Links with which a password is chosen: invitations and resets. Used ones are deleted.';

CREATE TABLE account_sessions (
    token_sha256 bytea NOT NULL,
    account_id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_account_sessions_token_sha256 CHECK ((length(token_sha256) = 32))
);

COMMENT ON TABLE account_sessions IS 'Sessions of signed-in accounts; those that have ended are deleted.';

COMMENT ON COLUMN account_sessions.last_used_at IS 'accurate to the minute';

CREATE TABLE accounts (
    account_id bigint NOT NULL,
    email text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    role text NOT NULL,
    store_ids text[] NOT NULL,
    groups text[] NOT NULL,
    password_hash text,
    issuer text COLLATE pg_catalog."C",
    subject text COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    disabled_at timestamp with time zone,
    last_sign_in_at timestamp with time zone,
    CONSTRAINT ck_accounts_issuer CHECK (((issuer IS NULL) = (subject IS NULL))),
    CONSTRAINT ck_accounts_role CHECK ((role = ANY (ARRAY['owner'::text, 'operator'::text, 'admin'::text]))),
    CONSTRAINT ck_accounts_stores_of_owners CHECK (((role = 'owner'::text) OR ((store_ids = '{}'::text[]) AND (groups = '{}'::text[]))))
);

COMMENT ON TABLE accounts IS 'People who sign in; never holds a password.';

COMMENT ON COLUMN accounts.email IS 'lower case';

COMMENT ON COLUMN accounts.store_ids IS 'stores of an owner, beside those of the groups';

COMMENT ON COLUMN accounts.groups IS 'groups of an owner';

COMMENT ON COLUMN accounts.password_hash IS 'Argon2; NULL: invited, or signs in at a provider';

COMMENT ON COLUMN accounts.issuer IS 'OpenID provider that knows the person';

COMMENT ON COLUMN accounts.subject IS 'id of the person at the provider';

ALTER TABLE accounts ALTER COLUMN account_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME accounts_account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE alert_actions (
    action_id bigint NOT NULL,
    alert_id bigint NOT NULL,
    action text NOT NULL,
    note text NOT NULL,
    silenced_until timestamp with time zone,
    acted_by text,
    acted_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_alert_actions_action CHECK ((action = ANY (ARRAY['acknowledge'::text, 'unacknowledge'::text, 'silence'::text, 'unsilence'::text, 'note'::text]))),
    CONSTRAINT ck_alert_actions_silenced_until CHECK (((action = 'silence'::text) = (silenced_until IS NOT NULL)))
);

COMMENT ON TABLE alert_actions IS 'What people did about alerts, with their notes.';

COMMENT ON COLUMN alert_actions.silenced_until IS 'end of a silence';

COMMENT ON COLUMN alert_actions.acted_by IS 'name of the key; NULL: without a key';

ALTER TABLE alert_actions ALTER COLUMN action_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME alert_actions_action_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE alert_deliveries (
    delivery_id bigint NOT NULL,
    alert_id bigint NOT NULL,
    change text NOT NULL,
    target text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    is_held boolean NOT NULL,
    tries smallint DEFAULT 0 NOT NULL,
    next_try_at timestamp with time zone NOT NULL,
    claimed_at timestamp with time zone,
    is_repeated boolean DEFAULT false NOT NULL,
    sent_at timestamp with time zone,
    error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ck_alert_deliveries_change CHECK ((change = ANY (ARRAY['opened'::text, 'closed'::text]))),
    CONSTRAINT ck_alert_deliveries_state CHECK ((state = ANY (ARRAY['waiting'::text, 'sending'::text, 'sent'::text, 'failed'::text])))
);

COMMENT ON TABLE alert_deliveries IS 'Notifications of alerts, one per alert, change and address: waiting, sent or failed.';

COMMENT ON COLUMN alert_deliveries.target IS 'label of the address; never the address itself';

COMMENT ON COLUMN alert_deliveries.is_held IS 'held until the store''s business time';

COMMENT ON COLUMN alert_deliveries.claimed_at IS 'start of the last try';

COMMENT ON COLUMN alert_deliveries.is_repeated IS 'whether a try was interrupted, so that the message may arrive twice';

COMMENT ON COLUMN alert_deliveries.error IS 'error of the last try, without any part of the address';

ALTER TABLE alert_deliveries ALTER COLUMN delivery_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME alert_deliveries_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE alert_watch (
    is_only_row boolean DEFAULT true NOT NULL,
    looked_at timestamp with time zone NOT NULL,
    watching_since timestamp with time zone NOT NULL,
    seen text,
    CONSTRAINT ck_alert_watch_is_only_row CHECK (is_only_row)
);

COMMENT ON TABLE alert_watch IS 'State of the alert evaluation.';

COMMENT ON COLUMN alert_watch.looked_at IS 'time of the last evaluation';

COMMENT ON COLUMN alert_watch.watching_since IS 'start of the evaluations without a long pause in between';

COMMENT ON COLUMN alert_watch.seen IS 'version of the data when stores were last evaluated';

CREATE TABLE alerts (
    alert_id bigint NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL COLLATE pg_catalog."C",
    store_key integer,
    opened_at timestamp with time zone NOT NULL,
    since timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    ending text,
    lost_us bigint NOT NULL,
    stores integer,
    of_stores integer,
    is_told boolean NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    acknowledged_at timestamp with time zone,
    silenced_until timestamp with time zone,
    CONSTRAINT ck_alerts_ending CHECK (((closed_at IS NULL) = (ending IS NULL))),
    CONSTRAINT ck_alerts_kind CHECK ((kind = ANY (ARRAY['down'::text, 'silent'::text, 'source'::text, 'platform'::text, 'data'::text, 'burn'::text, 'exhausted'::text]))),
    CONSTRAINT ck_alerts_store_key CHECK (((kind = ANY (ARRAY['down'::text, 'silent'::text, 'burn'::text, 'exhausted'::text])) = (store_key IS NOT NULL)))
);

COMMENT ON TABLE alerts IS 'Alerts with start and end; at most one is open for a kind and subject.';

COMMENT ON COLUMN alerts.subject IS 'id of the store, or name of the zone, group, source or file';

COMMENT ON COLUMN alerts.store_key IS 'NULL: not about one store';

COMMENT ON COLUMN alerts.opened_at IS 'newest poll; for a source the clock time';

COMMENT ON COLUMN alerts.since IS 'when the condition began';

COMMENT ON COLUMN alerts.closed_at IS 'like opened_at; NULL: still firing';

COMMENT ON COLUMN alerts.ending IS 'reason in words, once resolved';

COMMENT ON COLUMN alerts.lost_us IS 'business time down, or without polls';

COMMENT ON COLUMN alerts.stores IS 'stores affected at the last evaluation';

COMMENT ON COLUMN alerts.of_stores IS 'open stores at the last evaluation';

COMMENT ON COLUMN alerts.is_told IS 'whether there were notifications';

COMMENT ON COLUMN alerts.acknowledged_at IS 'NULL: not acknowledged';

COMMENT ON COLUMN alerts.silenced_until IS 'no message is sent before, also of later alerts of this kind and subject';

ALTER TABLE alerts ALTER COLUMN alert_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME alerts_alert_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE api_keys (
    key_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    secret_sha256 bytea NOT NULL,
    scopes text[] NOT NULL,
    store_ids text[],
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    CONSTRAINT ck_api_keys_scopes CHECK (((scopes <@ ARRAY['read'::text, 'trigger'::text, 'edit'::text, 'ingest'::text, 'admin'::text]) AND (scopes <> '{}'::text[]))),
    CONSTRAINT ck_api_keys_secret_sha256 CHECK ((length(secret_sha256) = 32))
);

COMMENT ON TABLE api_keys IS 'API keys and their scopes; never holds a token.';

COMMENT ON COLUMN api_keys.key_id IS 'public part of the token';

COMMENT ON COLUMN api_keys.store_ids IS 'NULL: every store';

COMMENT ON COLUMN api_keys.last_used_at IS 'accurate to the minute';

CREATE TABLE audit_events (
    event_id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    action text NOT NULL,
    key_id text,
    client text,
    request_id text,
    subject text,
    account_id bigint
);

COMMENT ON TABLE audit_events IS 'Audit log of triggers, pushes and key changes; append-only.';

COMMENT ON COLUMN audit_events.key_id IS 'NULL: no key needed, or the command line';

COMMENT ON COLUMN audit_events.client IS 'address of the client, or user of the command line';

COMMENT ON COLUMN audit_events.subject IS 'object of the action';

COMMENT ON COLUMN audit_events.account_id IS 'account whose session it was';

ALTER TABLE audit_events ALTER COLUMN event_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME audit_events_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE business_hour_intervals (
    store_key integer NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    start_us_of_week bigint NOT NULL,
    end_us_of_week bigint NOT NULL,
    load_id integer,
    CONSTRAINT ck_business_hour_intervals_inside_week CHECK (((start_us_of_week >= 0) AND (start_us_of_week < end_us_of_week) AND (end_us_of_week <= '604800000000'::bigint)))
);

COMMENT ON TABLE business_hour_intervals IS 'Normalised local week of each store and version: merged intervals since Monday 00:00.';

COMMENT ON COLUMN business_hour_intervals.valid_from IS '-infinity: always';

COMMENT ON COLUMN business_hour_intervals.load_id IS 'NULL: no hours were ever loaded, so always open';

CREATE TABLE business_hours (
    store_key integer NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    load_id integer NOT NULL,
    row_number integer NOT NULL,
    day_of_week smallint NOT NULL,
    start_us bigint NOT NULL,
    end_us bigint NOT NULL,
    is_dated boolean NOT NULL
);

COMMENT ON TABLE business_hours IS 'Weekly hours as read; the rows of one store, valid_from and load are one version.';

COMMENT ON COLUMN business_hours.valid_from IS '-infinity: always';

COMMENT ON COLUMN business_hours.day_of_week IS '0: Monday';

COMMENT ON COLUMN business_hours.start_us IS 'since local midnight';

COMMENT ON COLUMN business_hours.end_us IS 'since local midnight';

COMMENT ON COLUMN business_hours.is_dated IS 'whether the source gave valid_from';

CREATE TABLE channel_rule (
    is_only_row boolean DEFAULT true NOT NULL,
    rule text NOT NULL,
    CONSTRAINT ck_channel_rule_is_only_row CHECK (is_only_row)
);

COMMENT ON TABLE channel_rule IS 'When a store with several storefronts is up; without a row: any_up.';

CREATE TABLE channels (
    channel_id integer NOT NULL,
    channel_store_id text NOT NULL COLLATE pg_catalog."C",
    store_key integer NOT NULL,
    channel text NOT NULL,
    load_id integer NOT NULL,
    cancelled_by_load_id integer
);

COMMENT ON TABLE channels IS 'What sources say of the storefronts of stores, with all versions.';

COMMENT ON COLUMN channels.cancelled_by_load_id IS 'load that replaced it';

ALTER TABLE channels ALTER COLUMN channel_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME channels_channel_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE closures (
    closure_id integer NOT NULL,
    store_key integer,
    start_local timestamp without time zone NOT NULL,
    end_local timestamp without time zone,
    reason text NOT NULL,
    load_id integer NOT NULL,
    cancelled_by_load_id integer,
    author text,
    CONSTRAINT ck_closures_end_after_start CHECK ((end_local > start_local))
);

COMMENT ON TABLE closures IS 'Planned closures, which do not count as business time.';

COMMENT ON COLUMN closures.store_key IS 'NULL: every store';

COMMENT ON COLUMN closures.start_local IS 'local time of each store';

COMMENT ON COLUMN closures.end_local IS 'NULL: open end';

COMMENT ON COLUMN closures.author IS 'name of the key or account; NULL: without either';

ALTER TABLE closures ALTER COLUMN closure_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME closures_closure_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE corrections (
    correction_id integer NOT NULL,
    store_key integer NOT NULL,
    from_at timestamp with time zone NOT NULL,
    to_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    author text,
    recorded_at timestamp with time zone NOT NULL,
    load_id integer NOT NULL,
    cancelled_at timestamp with time zone,
    cancelled_by text,
    cancelled_by_load_id integer,
    CONSTRAINT ck_corrections_kind CHECK ((kind = ANY (ARRAY['taken_out'::text, 'up'::text, 'down'::text]))),
    CONSTRAINT ck_corrections_order CHECK ((from_at < to_at)),
    CONSTRAINT ck_corrections_reason CHECK ((reason <> ''::text))
);

COMMENT ON TABLE corrections IS 'Time of stores that is taken out, or counts as up or down whatever polls say.';

COMMENT ON COLUMN corrections.author IS 'name of the key or account; NULL: without either';

COMMENT ON COLUMN corrections.cancelled_by IS 'name of the key or account';

COMMENT ON COLUMN corrections.cancelled_by_load_id IS 'NULL: in force';

ALTER TABLE corrections ALTER COLUMN correction_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME corrections_correction_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE database_parameters (
    is_only_row boolean DEFAULT true NOT NULL,
    max_gap_us bigint NOT NULL,
    CONSTRAINT ck_database_parameters_is_only_row CHECK (is_only_row),
    CONSTRAINT ck_database_parameters_max_gap_us CHECK (((max_gap_us > 0) AND (max_gap_us < '86400000000'::bigint)))
);

COMMENT ON TABLE database_parameters IS 'Settings that never change in a database, because all status runs depend on them.';

CREATE TABLE demand (
    store_key integer NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    load_id integer NOT NULL,
    row_number integer NOT NULL,
    day_of_week smallint NOT NULL,
    hour smallint NOT NULL,
    sales_per_hour bigint NOT NULL,
    currency text NOT NULL,
    is_dated boolean NOT NULL
);

COMMENT ON TABLE demand IS 'Expected sales as read; the rows of one store, valid_from and load are one version.';

COMMENT ON COLUMN demand.valid_from IS '-infinity: always';

COMMENT ON COLUMN demand.day_of_week IS '0: Monday';

COMMENT ON COLUMN demand.hour IS 'local time';

COMMENT ON COLUMN demand.sales_per_hour IS 'hundredths of a currency unit';

COMMENT ON COLUMN demand.is_dated IS 'whether the source gave valid_from';

CREATE TABLE former_stores (
    store_key integer NOT NULL,
    store_id text NOT NULL COLLATE pg_catalog."C"
);

COMMENT ON TABLE former_stores IS 'Stores that only undone loads named. Older reports and alerts refer to them.';

CREATE TABLE hourly_orders (
    store_key integer NOT NULL,
    hour_start timestamp with time zone NOT NULL,
    currency text NOT NULL,
    load_id integer NOT NULL,
    orders integer NOT NULL,
    amount bigint NOT NULL,
    amount_squares double precision NOT NULL
);

COMMENT ON TABLE hourly_orders IS 'Orders by store and UTC hour; of several rows of an hour the last load counts.';

COMMENT ON COLUMN hourly_orders.amount IS 'hundredths of a currency unit';

COMMENT ON COLUMN hourly_orders.amount_squares IS 'sum of the squares of the amounts of the orders';

CREATE TABLE ingested_files (
    source text NOT NULL,
    file_path text NOT NULL,
    load_id integer,
    size_bytes bigint NOT NULL,
    modified_ns bigint NOT NULL,
    bytes_read bigint NOT NULL,
    fingerprint text NOT NULL,
    etag text DEFAULT ''::text NOT NULL,
    lines_read bigint DEFAULT 0 NOT NULL,
    header text,
    tail_load_id integer
);

COMMENT ON TABLE ingested_files IS 'How far each file was read, so that unchanged files are not read again.';

COMMENT ON COLUMN ingested_files.load_id IS 'last load of this file';

COMMENT ON COLUMN ingested_files.fingerprint IS 'digest of the first bytes_read bytes';

COMMENT ON COLUMN ingested_files.lines_read IS 'lines in the first bytes_read bytes';

COMMENT ON COLUMN ingested_files.header IS 'CSV header for reading appended lines; NULL: the file is always read whole';

COMMENT ON COLUMN ingested_files.tail_load_id IS 'load of a last line without a line end, after bytes_read';

CREATE TABLE intervals_state (
    is_only_row boolean DEFAULT true NOT NULL,
    revision bigint NOT NULL,
    last_store_key integer,
    is_checked boolean DEFAULT false NOT NULL,
    CONSTRAINT ck_intervals_state_is_only_row CHECK (is_only_row)
);

COMMENT ON TABLE intervals_state IS 'Number of changes of business_hour_intervals.';

COMMENT ON COLUMN intervals_state.last_store_key IS 'greatest key that has intervals';

COMMENT ON COLUMN intervals_state.is_checked IS 'whether all weeks were once checked; since then unchecked_weeks has the rest';

CREATE TABLE lake_of_polls (
    is_only_row boolean DEFAULT true NOT NULL,
    place text NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT ck_lake_of_polls_is_only_row CHECK (is_only_row)
);

COMMENT ON TABLE lake_of_polls IS 'The lake that has all polls and status runs; no row while the database has them.';

COMMENT ON COLUMN lake_of_polls.place IS 'path or URL of the lake';

COMMENT ON COLUMN lake_of_polls.version IS 'number of the manifest that counts';

CREATE TABLE learned_demand (
    store_key integer NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    load_id integer NOT NULL,
    currency text NOT NULL,
    rate bigint[] NOT NULL,
    lowest bigint[] NOT NULL,
    highest bigint[] NOT NULL
);

COMMENT ON TABLE learned_demand IS 'Expected sales learned from orders, in versions.';

COMMENT ON COLUMN learned_demand.load_id IS 'newest load of orders';

COMMENT ON COLUMN learned_demand.rate IS 'hundredths per hour, from Monday 00:00 on, local time';

CREATE TABLE loads (
    load_id integer NOT NULL,
    source text NOT NULL,
    file_path text,
    run_id text,
    loaded_at timestamp with time zone NOT NULL,
    rows_read bigint NOT NULL,
    rows_loaded bigint NOT NULL,
    rows_replaced bigint NOT NULL,
    rows_unchanged bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    first_polled_at timestamp with time zone,
    last_polled_at timestamp with time zone,
    undone_at timestamp with time zone,
    undoes_load_id integer,
    rows_removed bigint DEFAULT 0 NOT NULL,
    header text,
    CONSTRAINT ck_loads_rows_balance CHECK ((rows_read = (((rows_loaded + rows_replaced) + rows_unchanged) + rows_rejected)))
);

COMMENT ON TABLE loads IS 'One row per file read or batch pushed; load_id ascends in order of arrival.';

COMMENT ON COLUMN loads.file_path IS 'NULL: pushed rows';

COMMENT ON COLUMN loads.run_id IS 'Dagster run that made the load';

COMMENT ON COLUMN loads.undoes_load_id IS 'load that this load undoes';

COMMENT ON COLUMN loads.rows_removed IS 'polls that an undo deleted';

COMMENT ON COLUMN loads.header IS 'CSV header for reading the rejected rows again';

ALTER TABLE loads ALTER COLUMN load_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME loads_load_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE newest_poll (
    is_only_row boolean DEFAULT true NOT NULL,
    polled_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_newest_poll_is_only_row CHECK (is_only_row)
);

COMMENT ON TABLE newest_poll IS 'Instant of the newest poll; empty without polls. Maintained by triggers.';

CREATE TABLE objectives (
    objective_id integer NOT NULL,
    applies_to text NOT NULL,
    store_key integer,
    name text NOT NULL,
    period text NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    is_dated boolean NOT NULL,
    objective_percent numeric(7,4),
    load_id integer NOT NULL,
    cancelled_by_load_id integer,
    CONSTRAINT ck_objectives_applies_to CHECK ((applies_to = ANY (ARRAY['store'::text, 'group'::text, 'region'::text, 'all'::text]))),
    CONSTRAINT ck_objectives_name CHECK (((applies_to = ANY (ARRAY['group'::text, 'region'::text])) = (name <> ''::text))),
    CONSTRAINT ck_objectives_objective_percent CHECK (((objective_percent >= (0)::numeric) AND (objective_percent <= (100)::numeric))),
    CONSTRAINT ck_objectives_period CHECK ((period = ANY (ARRAY['week'::text, 'month'::text]))),
    CONSTRAINT ck_objectives_store_key CHECK (((applies_to = 'store'::text) = (store_key IS NOT NULL)))
);

COMMENT ON TABLE objectives IS 'Objectives for uptime, with all their versions.';

COMMENT ON COLUMN objectives.store_key IS 'NULL: not of one store';

COMMENT ON COLUMN objectives.name IS 'of the group or region; otherwise empty';

COMMENT ON COLUMN objectives.valid_from IS '-infinity: always';

COMMENT ON COLUMN objectives.is_dated IS 'whether the source gave valid_from';

COMMENT ON COLUMN objectives.objective_percent IS 'NULL: no objective from then on';

ALTER TABLE objectives ALTER COLUMN objective_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME objectives_objective_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE planned_polls (
    store_key integer NOT NULL,
    poll_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE planned_polls IS 'When to poll each store in one hour, within a budget; replaced as a whole.';

CREATE TABLE rejected_rows (
    rejected_row_id bigint NOT NULL,
    load_id integer NOT NULL,
    line bigint NOT NULL,
    row_text text NOT NULL,
    reason text NOT NULL,
    replayed_by_load_id integer,
    row_bytes bytea
);

COMMENT ON TABLE rejected_rows IS 'Rows that could not be read, with the reason.';

COMMENT ON COLUMN rejected_rows.row_bytes IS 'original bytes, where row_text differs from them';

ALTER TABLE rejected_rows ALTER COLUMN rejected_row_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rejected_rows_rejected_row_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE report_columns (
    result_id bigint NOT NULL,
    part integer NOT NULL,
    stores integer NOT NULL,
    first_store_id text NOT NULL COLLATE pg_catalog."C",
    last_store_id text NOT NULL COLLATE pg_catalog."C",
    content bytea NOT NULL
);
ALTER TABLE ONLY report_columns ALTER COLUMN content SET STORAGE EXTERNAL;

COMMENT ON TABLE report_columns IS 'Rows of each result in columns, in parts of some stores each; never changed.';

COMMENT ON COLUMN report_columns.content IS 'Parquet file, compressed';

CREATE TABLE report_csv (
    result_id bigint NOT NULL,
    chunk integer NOT NULL,
    content bytea NOT NULL
);

COMMENT ON TABLE report_csv IS 'CSV of older results, where it does not follow from their columns.';

CREATE TABLE report_results (
    result_id bigint NOT NULL,
    as_of timestamp with time zone NOT NULL,
    policy text NOT NULL,
    stores integer NOT NULL,
    silent_stores integer NOT NULL,
    computed_at timestamp with time zone DEFAULT now() NOT NULL,
    run_id text NOT NULL,
    last_load_id integer,
    csv_bytes bigint NOT NULL,
    csv_chunks integer NOT NULL,
    csv_sha256 text NOT NULL,
    newest_poll_at timestamp with time zone,
    status_model_id integer,
    zone_rules text,
    rejected_hours_stores text[]
);

COMMENT ON TABLE report_results IS 'Computed results; waiting requests with equal as_of and policy share one.';

COMMENT ON COLUMN report_results.last_load_id IS 'newest load when the result was computed';

COMMENT ON COLUMN report_results.newest_poll_at IS 'newest poll when the result was computed';

COMMENT ON COLUMN report_results.status_model_id IS 'NULL: made without likely ranges';

COMMENT ON COLUMN report_results.zone_rules IS 'release of tzdata, such as 2026f';

COMMENT ON COLUMN report_results.rejected_hours_stores IS 'ids of stores without hours because all their rows were rejected; NULL: unknown';

ALTER TABLE report_results ALTER COLUMN result_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME report_results_result_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE report_runs (
    run_id text NOT NULL,
    launched_at timestamp with time zone DEFAULT now() NOT NULL,
    reading_at timestamp with time zone,
    ended_at timestamp with time zone,
    is_success boolean
);

COMMENT ON TABLE report_runs IS 'Dagster runs that compute reports.';

COMMENT ON COLUMN report_runs.reading_at IS 'when the run began to take waiting reports';

CREATE TABLE reports (
    report_id uuid NOT NULL,
    state text NOT NULL,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    requested_as_of timestamp with time zone,
    policy text NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    result_id bigint,
    completed_at timestamp with time zone,
    error text,
    request_id text,
    requested_status_model_id integer,
    CONSTRAINT ck_reports_error CHECK (((state = 'failed'::text) = (error IS NOT NULL))),
    CONSTRAINT ck_reports_result CHECK (((state = 'complete'::text) = (result_id IS NOT NULL))),
    CONSTRAINT ck_reports_state CHECK ((state = ANY (ARRAY['waiting'::text, 'complete'::text, 'failed'::text, 'expired'::text])))
);

COMMENT ON TABLE reports IS 'Requested reports; a row is written before any run is launched.';

COMMENT ON COLUMN reports.requested_as_of IS 'NULL: the newest poll when the report is computed';

COMMENT ON COLUMN reports.request_id IS 'id of the HTTP request';

COMMENT ON COLUMN reports.requested_status_model_id IS 'NULL: the newest version when the report is computed';

CREATE TABLE retention_state (
    is_only_row boolean DEFAULT true NOT NULL,
    polls_kept_from timestamp with time zone NOT NULL,
    messages_kept_from timestamp with time zone,
    lake text,
    CONSTRAINT ck_retention_state_is_only_row CHECK (is_only_row)
);

COMMENT ON TABLE retention_state IS 'Polls before polls_kept_from are rejected, because older polls were dropped.';

COMMENT ON COLUMN retention_state.messages_kept_from IS 'as polls_kept_from, for webhook_messages';

COMMENT ON COLUMN retention_state.lake IS 'path or URL of the lake that has the dropped polls';

CREATE TABLE sent_statement_files (
    statement_id bigint NOT NULL,
    name text NOT NULL,
    content bytea NOT NULL,
    sha256 bytea NOT NULL
);

COMMENT ON TABLE sent_statement_files IS 'Files of sent statements; a trigger keeps rows unchanged.';

CREATE TABLE sent_statements (
    statement_id bigint NOT NULL,
    subject text NOT NULL COLLATE pg_catalog."C",
    revision integer NOT NULL,
    store_id text,
    group_name text,
    region text,
    period text NOT NULL,
    objective_percent numeric(7,4),
    only_stores text[],
    store_ids text[] NOT NULL,
    as_of timestamp with time zone NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    sent_by text,
    last_load_id integer NOT NULL,
    statement bytea NOT NULL,
    changes bytea NOT NULL,
    CONSTRAINT ck_sent_statements_revision CHECK ((revision > 0))
);

COMMENT ON TABLE sent_statements IS 'Statements as they were sent, with their revisions; a trigger keeps rows unchanged.';

COMMENT ON COLUMN sent_statements.subject IS 'the same for all revisions';

COMMENT ON COLUMN sent_statements.store_id IS 'NULL: not of one store';

COMMENT ON COLUMN sent_statements.objective_percent IS 'NULL: the stored objectives';

COMMENT ON COLUMN sent_statements.only_stores IS 'stores of the key that asked; NULL: every store';

COMMENT ON COLUMN sent_statements.store_ids IS 'stores in it';

COMMENT ON COLUMN sent_statements.sent_by IS 'name of the key; NULL: without a key, or a schedule';

COMMENT ON COLUMN sent_statements.last_load_id IS 'last load before it was made';

COMMENT ON COLUMN sent_statements.statement IS 'figures, as JSON';

COMMENT ON COLUMN sent_statements.changes IS 'revision, as JSON';

ALTER TABLE sent_statements ALTER COLUMN statement_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME sent_statements_statement_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE source_looks (
    source text NOT NULL,
    looked_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE source_looks IS 'Last successful check of the files of each source.';

CREATE TABLE special_hours (
    store_key integer NOT NULL,
    local_date date NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    load_id integer NOT NULL,
    is_dated boolean NOT NULL,
    starts_us bigint[],
    ends_us bigint[],
    CONSTRAINT ck_special_hours_one_end_for_each_start CHECK (((cardinality(starts_us) = cardinality(ends_us)) AND ((starts_us IS NULL) = (ends_us IS NULL))))
);

COMMENT ON TABLE special_hours IS 'Hours of single local dates, which replace the weekly hours; with all versions.';

COMMENT ON COLUMN special_hours.valid_from IS '-infinity: always';

COMMENT ON COLUMN special_hours.is_dated IS 'whether the source gave valid_from';

COMMENT ON COLUMN special_hours.starts_us IS 'since local midnight; empty: closed; NULL: withdrawn, the weekly hours hold';

COMMENT ON COLUMN special_hours.ends_us IS 'since local midnight, after the start';

CREATE TABLE stale_weeks (
    store_key integer NOT NULL
);

COMMENT ON TABLE stale_weeks IS 'Stores whose week must be normalised again; written by triggers on its inputs.';

CREATE TABLE statement_deliveries (
    delivery_id bigint NOT NULL,
    schedule_id integer,
    store_id text,
    group_name text,
    region text,
    objective_percent numeric(7,4),
    only_stores text[],
    address text NOT NULL,
    file_format text NOT NULL,
    period text NOT NULL,
    statement_id bigint,
    due_at timestamp with time zone NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    tries smallint DEFAULT 0 NOT NULL,
    next_try_at timestamp with time zone NOT NULL,
    claimed_at timestamp with time zone,
    is_repeated boolean DEFAULT false NOT NULL,
    sent_at timestamp with time zone,
    error text,
    CONSTRAINT ck_statement_deliveries_file_format CHECK ((file_format = ANY (ARRAY['pdf'::text, 'xlsx'::text, 'csv'::text]))),
    CONSTRAINT ck_statement_deliveries_state CHECK ((state = ANY (ARRAY['waiting'::text, 'sending'::text, 'sent'::text, 'failed'::text])))
);

COMMENT ON TABLE statement_deliveries IS 'Statements by mail, with their state. A schedule sends a period once to an address.';

COMMENT ON COLUMN statement_deliveries.schedule_id IS 'NULL: somebody sent it';

COMMENT ON COLUMN statement_deliveries.store_id IS 'NULL: not of one store';

COMMENT ON COLUMN statement_deliveries.objective_percent IS 'NULL: the stored objectives';

COMMENT ON COLUMN statement_deliveries.only_stores IS 'stores of the key that asked; NULL: every store';

COMMENT ON COLUMN statement_deliveries.address IS 'email address';

COMMENT ON COLUMN statement_deliveries.statement_id IS 'NULL: its figures are not kept yet';

COMMENT ON COLUMN statement_deliveries.claimed_at IS 'start of the last try';

COMMENT ON COLUMN statement_deliveries.is_repeated IS 'whether a try was interrupted, so that it may arrive twice';

COMMENT ON COLUMN statement_deliveries.error IS 'error of the last try';

ALTER TABLE statement_deliveries ALTER COLUMN delivery_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME statement_deliveries_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE statement_schedules (
    schedule_id integer NOT NULL,
    store_id text,
    group_name text,
    region text,
    objective_percent numeric(7,4),
    only_stores text[],
    file_format text NOT NULL,
    every text NOT NULL,
    at_local time without time zone NOT NULL,
    timezone text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    created_by text,
    cancelled_at timestamp with time zone,
    addresses text[] NOT NULL,
    CONSTRAINT ck_statement_schedules_file_format CHECK ((file_format = ANY (ARRAY['pdf'::text, 'xlsx'::text, 'csv'::text])))
);

COMMENT ON TABLE statement_schedules IS 'When statements are sent, and to whom.';

COMMENT ON COLUMN statement_schedules.store_id IS 'NULL: not of one store';

COMMENT ON COLUMN statement_schedules.objective_percent IS 'NULL: the stored objectives';

COMMENT ON COLUMN statement_schedules.only_stores IS 'stores of the key that asked; NULL: every store';

COMMENT ON COLUMN statement_schedules.every IS 'a weekday, or month: its first day';

COMMENT ON COLUMN statement_schedules.timezone IS 'IANA key';

COMMENT ON COLUMN statement_schedules.created_by IS 'name of the key; NULL: without a key';

COMMENT ON COLUMN statement_schedules.addresses IS 'email addresses';

ALTER TABLE statement_schedules ALTER COLUMN schedule_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME statement_schedules_schedule_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE status_models (
    status_model_id integer NOT NULL,
    fitted_at timestamp with time zone NOT NULL,
    as_of timestamp with time zone NOT NULL,
    recipe integer NOT NULL,
    stores integer NOT NULL,
    doubted_stores integer NOT NULL,
    parameters bytea NOT NULL,
    zone_rules text
);

COMMENT ON TABLE status_models IS 'Versions of the status model, which likely ranges are computed from; never changed.';

COMMENT ON COLUMN status_models.as_of IS 'newest poll that it was fitted to';

COMMENT ON COLUMN status_models.recipe IS 'how it was fitted, by number';

COMMENT ON COLUMN status_models.stores IS 'stores with polls in the period';

COMMENT ON COLUMN status_models.doubted_stores IS 'whose ranges are flagged';

COMMENT ON COLUMN status_models.parameters IS 'NumPy arrays, compressed';

COMMENT ON COLUMN status_models.zone_rules IS 'release of tzdata, such as 2026f';

ALTER TABLE status_models ALTER COLUMN status_model_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME status_models_status_model_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE status_runs (
    store_key integer NOT NULL,
    first_poll_at timestamp with time zone NOT NULL,
    last_poll_at timestamp with time zone NOT NULL,
    is_active boolean NOT NULL,
    polls integer NOT NULL
)
WITH (fillfactor='70');

COMMENT ON TABLE status_runs IS 'Status runs: maximal sequences of polls with equal status; written with the polls.';

CREATE TABLE store_details (
    store_key integer NOT NULL,
    name text,
    group_name text,
    region text,
    load_id integer NOT NULL
);

COMMENT ON TABLE store_details IS 'Name, group and region of stores.';

CREATE TABLE store_events (
    event_id integer NOT NULL,
    store_key integer NOT NULL,
    source text NOT NULL,
    from_at timestamp with time zone NOT NULL,
    to_at timestamp with time zone,
    is_up boolean NOT NULL,
    reason text NOT NULL,
    load_id integer NOT NULL,
    cancelled_by_load_id integer,
    CONSTRAINT ck_store_events_order CHECK ((from_at < to_at))
);

COMMENT ON TABLE store_events IS 'Known status of stores from an instant on, beside polls; with all versions.';

COMMENT ON COLUMN store_events.to_at IS 'NULL: until the source''s next event of the store';

COMMENT ON COLUMN store_events.cancelled_by_load_id IS 'load that replaced or cancelled it';

ALTER TABLE store_events ALTER COLUMN event_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME store_events_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE store_status (
    store_key integer NOT NULL,
    polled_at timestamp with time zone NOT NULL,
    is_active boolean NOT NULL,
    load_id integer NOT NULL
)
PARTITION BY RANGE (polled_at);

COMMENT ON TABLE store_status IS 'Polls, one row per store and instant; the last arrival counts.';

COMMENT ON COLUMN store_status.load_id IS 'load that wrote this row';

CREATE TABLE store_timezones (
    store_key integer NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    load_id integer NOT NULL,
    row_number integer NOT NULL,
    timezone text NOT NULL,
    is_dated boolean NOT NULL
);

COMMENT ON TABLE store_timezones IS 'Zones as read; the row with the greatest valid_from, load_id and row_number counts.';

COMMENT ON COLUMN store_timezones.valid_from IS '-infinity: always';

COMMENT ON COLUMN store_timezones.timezone IS 'IANA key';

COMMENT ON COLUMN store_timezones.is_dated IS 'whether the source gave valid_from';

CREATE TABLE store_uptime (
    store_key integer NOT NULL,
    uptime_last_hour_minutes numeric(12,4) NOT NULL,
    uptime_last_day_hours numeric(12,4) NOT NULL,
    uptime_last_week_hours numeric(12,4) NOT NULL,
    downtime_last_hour_minutes numeric(12,4) NOT NULL,
    downtime_last_day_hours numeric(12,4) NOT NULL,
    downtime_last_week_hours numeric(12,4) NOT NULL,
    business_last_hour_us bigint NOT NULL,
    business_last_day_us bigint NOT NULL,
    business_last_week_us bigint NOT NULL,
    uptime_last_hour_us bigint NOT NULL,
    uptime_last_day_us bigint NOT NULL,
    uptime_last_week_us bigint NOT NULL,
    downtime_last_hour_us bigint NOT NULL,
    downtime_last_day_us bigint NOT NULL,
    downtime_last_week_us bigint NOT NULL,
    lowest_uptime_last_hour_us bigint NOT NULL,
    lowest_uptime_last_day_us bigint NOT NULL,
    lowest_uptime_last_week_us bigint NOT NULL,
    highest_uptime_last_hour_us bigint NOT NULL,
    highest_uptime_last_day_us bigint NOT NULL,
    highest_uptime_last_week_us bigint NOT NULL,
    observed_last_hour_us bigint NOT NULL,
    observed_last_day_us bigint NOT NULL,
    observed_last_week_us bigint NOT NULL,
    likely_lowest_uptime_last_hour_us bigint,
    likely_lowest_uptime_last_day_us bigint,
    likely_lowest_uptime_last_week_us bigint,
    likely_highest_uptime_last_hour_us bigint,
    likely_highest_uptime_last_day_us bigint,
    likely_highest_uptime_last_week_us bigint,
    likely_doubt smallint
);

COMMENT ON TABLE store_uptime IS 'Current figures of every store with a poll in the last 192 hours.';

COMMENT ON COLUMN store_uptime.likely_doubt IS 'reasons to doubt the range; 0: none';

CREATE TABLE store_uptime_daily (
    store_key integer NOT NULL,
    local_date date NOT NULL,
    business_us bigint NOT NULL,
    uptime_us bigint NOT NULL,
    downtime_us bigint NOT NULL,
    unknown_us bigint NOT NULL,
    uncertain_us bigint NOT NULL,
    lowest_uptime_us bigint NOT NULL,
    incidents integer NOT NULL,
    likely_apart_s integer,
    likely_own_deviation_s integer,
    likely_shared_deviation_s integer,
    likely_reach_minutes smallint,
    likely_doubt smallint,
    status_model_id integer,
    CONSTRAINT ck_store_uptime_daily_adds_up CHECK ((business_us = ((uptime_us + downtime_us) + unknown_us)))
);

COMMENT ON TABLE store_uptime_daily IS 'Uptime history by local day, from a store''s first poll to the newest poll.';

COMMENT ON COLUMN store_uptime_daily.local_date IS 'in local time of the store';

COMMENT ON COLUMN store_uptime_daily.incidents IS 'that cost business time on this day; one across midnight counts on both days';

COMMENT ON COLUMN store_uptime_daily.likely_apart_s IS 'estimated mean above uptime; NULL: no range';

COMMENT ON COLUMN store_uptime_daily.likely_own_deviation_s IS 'independent of other days';

COMMENT ON COLUMN store_uptime_daily.likely_shared_deviation_s IS 'common to the store''s days';

COMMENT ON COLUMN store_uptime_daily.likely_reach_minutes IS 'of a store that is switched off';

COMMENT ON COLUMN store_uptime_daily.likely_doubt IS 'reasons to doubt the range; 0: none';

COMMENT ON COLUMN store_uptime_daily.status_model_id IS 'version that the likely range comes from, which may be dropped since';

CREATE TABLE store_uptime_daily_stale (
    store_key integer NOT NULL,
    since timestamp with time zone NOT NULL
);

COMMENT ON TABLE store_uptime_daily_stale IS 'Stores whose days must be computed again; written by triggers on the input tables.';

COMMENT ON COLUMN store_uptime_daily_stale.since IS '-infinity: all days of the store';

CREATE TABLE store_uptime_daily_state (
    is_only_row boolean DEFAULT true NOT NULL,
    as_of timestamp with time zone NOT NULL,
    refreshed_at timestamp with time zone NOT NULL,
    last_load_id integer,
    zone_rules text,
    likely_recipe integer,
    CONSTRAINT ck_store_uptime_daily_state_is_only_row CHECK (is_only_row)
);

COMMENT ON TABLE store_uptime_daily_state IS 'Newest poll that store_uptime_daily includes.';

COMMENT ON COLUMN store_uptime_daily_state.last_load_id IS 'newest load that the days include';

COMMENT ON COLUMN store_uptime_daily_state.zone_rules IS 'release of tzdata that made the days; NULL: they must be computed again';

COMMENT ON COLUMN store_uptime_daily_state.likely_recipe IS 'recipe of the status models of the days; NULL: days without likely ranges';

CREATE TABLE store_uptime_state (
    is_only_row boolean DEFAULT true NOT NULL,
    as_of timestamp with time zone,
    refreshed_at timestamp with time zone NOT NULL,
    stores integer NOT NULL,
    silent_stores integer NOT NULL,
    CONSTRAINT ck_store_uptime_state_is_only_row CHECK (is_only_row)
);

COMMENT ON TABLE store_uptime_state IS 'As-of instant and number of stores of store_uptime.';

COMMENT ON COLUMN store_uptime_state.as_of IS 'NULL: no polls were loaded';

CREATE TABLE store_weeks (
    store_key integer NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    week_id integer NOT NULL
);

COMMENT ON TABLE store_weeks IS 'Week pattern of each store and version; stores without loaded hours have none.';

COMMENT ON COLUMN store_weeks.valid_from IS '-infinity: always';

CREATE TABLE storefronts (
    storefront_key integer NOT NULL,
    storefront_id text NOT NULL COLLATE pg_catalog."C",
    store_key integer NOT NULL,
    channel text NOT NULL
);

COMMENT ON TABLE storefronts IS 'Storefronts of stores: in place of a row in stores, unless the id is the store''s own.';

CREATE TABLE stores (
    store_key integer NOT NULL,
    store_id text NOT NULL COLLATE pg_catalog."C"
);

COMMENT ON TABLE stores IS 'Every store that any source has mentioned; ids sort by their bytes.';

ALTER TABLE stores ALTER COLUMN store_key ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME stores_store_key_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE superseded_polls (
    store_key integer NOT NULL,
    polled_at timestamp with time zone NOT NULL,
    load_id integer NOT NULL,
    is_active boolean NOT NULL
);

COMMENT ON TABLE superseded_polls IS 'Polls of earlier loads that a later load replaced.';

CREATE TABLE unchecked_weeks (
    store_key integer NOT NULL
);

COMMENT ON TABLE unchecked_weeks IS 'Stores whose week has changed since its last check; written by triggers.';

CREATE TABLE unread_files (
    file_path text NOT NULL COLLATE pg_catalog."C",
    source text,
    reason text NOT NULL,
    is_refused boolean NOT NULL,
    found_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone
);

COMMENT ON TABLE unread_files IS 'Files of the data folder that are not read, with the reasons.';

COMMENT ON COLUMN unread_files.source IS 'NULL: the file has the name of no source';

COMMENT ON COLUMN unread_files.is_refused IS 'false: its name is not one that is read';

COMMENT ON COLUMN unread_files.found_at IS 'when it was first found so';

COMMENT ON COLUMN unread_files.changed_at IS 'when it was last written; NULL: unknown';

CREATE TABLE webhook_messages (
    source text NOT NULL,
    message_id text NOT NULL,
    load_id integer NOT NULL,
    last_start_at timestamp with time zone
);

COMMENT ON TABLE webhook_messages IS 'Ids of messages of webhooks, each of which counts once.';

COMMENT ON COLUMN webhook_messages.source IS 'name of the webhook';

COMMENT ON COLUMN webhook_messages.last_start_at IS 'last start told; NULL: the id is never dropped';

CREATE TABLE week_patterns (
    week_id integer NOT NULL,
    digest bytea NOT NULL,
    start_us_of_week bigint[] NOT NULL,
    end_us_of_week bigint[] NOT NULL
);

COMMENT ON TABLE week_patterns IS 'Distinct weeks of business_hour_intervals; unused ones stay.';

ALTER TABLE week_patterns ALTER COLUMN week_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME week_patterns_week_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

INSERT INTO alembic_version VALUES ('0043');

SELECT pg_catalog.setval('accounts_account_id_seq', 1, false);

SELECT pg_catalog.setval('alert_actions_action_id_seq', 1, false);

SELECT pg_catalog.setval('alert_deliveries_delivery_id_seq', 1, false);

SELECT pg_catalog.setval('alerts_alert_id_seq', 1, false);

SELECT pg_catalog.setval('audit_events_event_id_seq', 1, false);

SELECT pg_catalog.setval('channels_channel_id_seq', 1, false);

SELECT pg_catalog.setval('closures_closure_id_seq', 1, false);

SELECT pg_catalog.setval('corrections_correction_id_seq', 1, false);

SELECT pg_catalog.setval('loads_load_id_seq', 1, false);

SELECT pg_catalog.setval('objectives_objective_id_seq', 1, false);

SELECT pg_catalog.setval('rejected_rows_rejected_row_id_seq', 1, false);

SELECT pg_catalog.setval('report_results_result_id_seq', 1, false);

SELECT pg_catalog.setval('sent_statements_statement_id_seq', 1, false);

SELECT pg_catalog.setval('statement_deliveries_delivery_id_seq', 1, false);

SELECT pg_catalog.setval('statement_schedules_schedule_id_seq', 1, false);

SELECT pg_catalog.setval('status_models_status_model_id_seq', 1, false);

SELECT pg_catalog.setval('store_events_event_id_seq', 1, false);

SELECT pg_catalog.setval('stores_store_key_seq', 1, false);

SELECT pg_catalog.setval('week_patterns_week_id_seq', 1, false);

ALTER TABLE ONLY alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY account_links
    ADD CONSTRAINT pk_account_links PRIMARY KEY (token_sha256);

ALTER TABLE ONLY account_sessions
    ADD CONSTRAINT pk_account_sessions PRIMARY KEY (token_sha256);

ALTER TABLE ONLY accounts
    ADD CONSTRAINT pk_accounts PRIMARY KEY (account_id);

ALTER TABLE ONLY alert_actions
    ADD CONSTRAINT pk_alert_actions PRIMARY KEY (action_id);

ALTER TABLE ONLY alert_deliveries
    ADD CONSTRAINT pk_alert_deliveries PRIMARY KEY (delivery_id);

ALTER TABLE ONLY alert_watch
    ADD CONSTRAINT pk_alert_watch PRIMARY KEY (is_only_row);

ALTER TABLE ONLY alerts
    ADD CONSTRAINT pk_alerts PRIMARY KEY (alert_id);

ALTER TABLE ONLY api_keys
    ADD CONSTRAINT pk_api_keys PRIMARY KEY (key_id);

ALTER TABLE ONLY audit_events
    ADD CONSTRAINT pk_audit_events PRIMARY KEY (event_id);

ALTER TABLE ONLY business_hour_intervals
    ADD CONSTRAINT pk_business_hour_intervals PRIMARY KEY (store_key, valid_from, start_us_of_week);

ALTER TABLE ONLY business_hours
    ADD CONSTRAINT pk_business_hours PRIMARY KEY (store_key, valid_from, load_id, row_number);

ALTER TABLE ONLY channel_rule
    ADD CONSTRAINT pk_channel_rule PRIMARY KEY (is_only_row);

ALTER TABLE ONLY channels
    ADD CONSTRAINT pk_channels PRIMARY KEY (channel_id);

ALTER TABLE ONLY closures
    ADD CONSTRAINT pk_closures PRIMARY KEY (closure_id);

ALTER TABLE ONLY corrections
    ADD CONSTRAINT pk_corrections PRIMARY KEY (correction_id);

ALTER TABLE ONLY database_parameters
    ADD CONSTRAINT pk_database_parameters PRIMARY KEY (is_only_row);

ALTER TABLE ONLY demand
    ADD CONSTRAINT pk_demand PRIMARY KEY (store_key, valid_from, load_id, row_number);

ALTER TABLE ONLY former_stores
    ADD CONSTRAINT pk_former_stores PRIMARY KEY (store_key);

ALTER TABLE ONLY hourly_orders
    ADD CONSTRAINT pk_hourly_orders PRIMARY KEY (store_key, hour_start, currency, load_id);

ALTER TABLE ONLY ingested_files
    ADD CONSTRAINT pk_ingested_files PRIMARY KEY (source, file_path);

ALTER TABLE ONLY intervals_state
    ADD CONSTRAINT pk_intervals_state PRIMARY KEY (is_only_row);

ALTER TABLE ONLY lake_of_polls
    ADD CONSTRAINT pk_lake_of_polls PRIMARY KEY (is_only_row);

ALTER TABLE ONLY learned_demand
    ADD CONSTRAINT pk_learned_demand PRIMARY KEY (store_key, valid_from);

ALTER TABLE ONLY loads
    ADD CONSTRAINT pk_loads PRIMARY KEY (load_id);

ALTER TABLE ONLY newest_poll
    ADD CONSTRAINT pk_newest_poll PRIMARY KEY (is_only_row);

ALTER TABLE ONLY objectives
    ADD CONSTRAINT pk_objectives PRIMARY KEY (objective_id);

ALTER TABLE ONLY planned_polls
    ADD CONSTRAINT pk_planned_polls PRIMARY KEY (store_key, poll_at);

ALTER TABLE ONLY rejected_rows
    ADD CONSTRAINT pk_rejected_rows PRIMARY KEY (rejected_row_id);

ALTER TABLE ONLY report_columns
    ADD CONSTRAINT pk_report_columns PRIMARY KEY (result_id, part);

ALTER TABLE ONLY report_csv
    ADD CONSTRAINT pk_report_csv PRIMARY KEY (result_id, chunk);

ALTER TABLE ONLY report_results
    ADD CONSTRAINT pk_report_results PRIMARY KEY (result_id);

ALTER TABLE ONLY report_runs
    ADD CONSTRAINT pk_report_runs PRIMARY KEY (run_id);

ALTER TABLE ONLY reports
    ADD CONSTRAINT pk_reports PRIMARY KEY (report_id);

ALTER TABLE ONLY retention_state
    ADD CONSTRAINT pk_retention_state PRIMARY KEY (is_only_row);

ALTER TABLE ONLY sent_statement_files
    ADD CONSTRAINT pk_sent_statement_files PRIMARY KEY (statement_id, name);

ALTER TABLE ONLY sent_statements
    ADD CONSTRAINT pk_sent_statements PRIMARY KEY (statement_id);

ALTER TABLE ONLY source_looks
    ADD CONSTRAINT pk_source_looks PRIMARY KEY (source);

ALTER TABLE ONLY special_hours
    ADD CONSTRAINT pk_special_hours PRIMARY KEY (store_key, local_date, valid_from, load_id, is_dated);

ALTER TABLE ONLY stale_weeks
    ADD CONSTRAINT pk_stale_weeks PRIMARY KEY (store_key);

ALTER TABLE ONLY statement_deliveries
    ADD CONSTRAINT pk_statement_deliveries PRIMARY KEY (delivery_id);

ALTER TABLE ONLY statement_schedules
    ADD CONSTRAINT pk_statement_schedules PRIMARY KEY (schedule_id);

ALTER TABLE ONLY status_models
    ADD CONSTRAINT pk_status_models PRIMARY KEY (status_model_id);

ALTER TABLE ONLY status_runs
    ADD CONSTRAINT pk_status_runs PRIMARY KEY (store_key, first_poll_at);

ALTER TABLE ONLY store_details
    ADD CONSTRAINT pk_store_details PRIMARY KEY (store_key);

ALTER TABLE ONLY store_events
    ADD CONSTRAINT pk_store_events PRIMARY KEY (event_id);

ALTER TABLE ONLY store_status
    ADD CONSTRAINT pk_store_status PRIMARY KEY (store_key, polled_at);

ALTER TABLE ONLY store_timezones
    ADD CONSTRAINT pk_store_timezones PRIMARY KEY (store_key, valid_from, load_id, row_number);

ALTER TABLE ONLY store_uptime
    ADD CONSTRAINT pk_store_uptime PRIMARY KEY (store_key);

ALTER TABLE ONLY store_uptime_daily
    ADD CONSTRAINT pk_store_uptime_daily PRIMARY KEY (store_key, local_date);

ALTER TABLE ONLY store_uptime_daily_stale
    ADD CONSTRAINT pk_store_uptime_daily_stale PRIMARY KEY (store_key);

ALTER TABLE ONLY store_uptime_daily_state
    ADD CONSTRAINT pk_store_uptime_daily_state PRIMARY KEY (is_only_row);

ALTER TABLE ONLY store_uptime_state
    ADD CONSTRAINT pk_store_uptime_state PRIMARY KEY (is_only_row);

ALTER TABLE ONLY store_weeks
    ADD CONSTRAINT pk_store_weeks PRIMARY KEY (store_key, valid_from);

ALTER TABLE ONLY storefronts
    ADD CONSTRAINT pk_storefronts PRIMARY KEY (storefront_key);

ALTER TABLE ONLY stores
    ADD CONSTRAINT pk_stores PRIMARY KEY (store_key);

ALTER TABLE ONLY superseded_polls
    ADD CONSTRAINT pk_superseded_polls PRIMARY KEY (store_key, polled_at, load_id);

ALTER TABLE ONLY unchecked_weeks
    ADD CONSTRAINT pk_unchecked_weeks PRIMARY KEY (store_key);

ALTER TABLE ONLY unread_files
    ADD CONSTRAINT pk_unread_files PRIMARY KEY (file_path);

ALTER TABLE ONLY webhook_messages
    ADD CONSTRAINT pk_webhook_messages PRIMARY KEY (source, message_id);

ALTER TABLE ONLY week_patterns
    ADD CONSTRAINT pk_week_patterns PRIMARY KEY (week_id);

ALTER TABLE ONLY accounts
    ADD CONSTRAINT uq_accounts_email UNIQUE (email);

ALTER TABLE ONLY accounts
    ADD CONSTRAINT uq_accounts_issuer_subject UNIQUE (issuer, subject);

ALTER TABLE ONLY alert_deliveries
    ADD CONSTRAINT uq_alert_deliveries_alert_id_change_target UNIQUE (alert_id, change, target);

ALTER TABLE ONLY former_stores
    ADD CONSTRAINT uq_former_stores_store_id UNIQUE (store_id);

ALTER TABLE ONLY sent_statements
    ADD CONSTRAINT uq_sent_statements_subject_revision UNIQUE (subject, revision);

ALTER TABLE ONLY statement_deliveries
    ADD CONSTRAINT uq_statement_deliveries_schedule_id_period_address UNIQUE (schedule_id, period, address);

ALTER TABLE ONLY storefronts
    ADD CONSTRAINT uq_storefronts_storefront_id UNIQUE (storefront_id);

ALTER TABLE ONLY stores
    ADD CONSTRAINT uq_stores_store_id UNIQUE (store_id);

ALTER TABLE ONLY week_patterns
    ADD CONSTRAINT uq_week_patterns_digest UNIQUE (digest);

CREATE INDEX ix_account_links_account_id ON account_links USING btree (account_id);

CREATE INDEX ix_account_sessions_account_id ON account_sessions USING btree (account_id);

CREATE INDEX ix_alert_actions_alert_id ON alert_actions USING btree (alert_id);

CREATE INDEX ix_alert_deliveries_alert_id ON alert_deliveries USING btree (alert_id);

CREATE INDEX ix_alert_deliveries_open ON alert_deliveries USING btree (next_try_at) WHERE (state <> 'sent'::text);

CREATE INDEX ix_alerts_closed_at ON alerts USING btree (closed_at);

CREATE INDEX ix_alerts_kind_subject_closed_at ON alerts USING btree (kind, subject, closed_at);

CREATE INDEX ix_alerts_listed ON alerts USING btree (((closed_at IS NOT NULL)), opened_at DESC, alert_id);

CREATE INDEX ix_audit_events_at ON audit_events USING btree (at);

CREATE INDEX ix_channels_channel_store_id ON channels USING btree (channel_store_id);

CREATE INDEX ix_channels_store_key ON channels USING btree (store_key);

CREATE INDEX ix_corrections_load_id ON corrections USING btree (load_id);

CREATE INDEX ix_corrections_store_key ON corrections USING btree (store_key, from_at);

CREATE INDEX ix_loads_source_file_path ON loads USING btree (source, file_path);

CREATE INDEX ix_objectives_store_key ON objectives USING btree (store_key);

CREATE INDEX ix_rejected_rows_load_id ON rejected_rows USING btree (load_id);

CREATE INDEX ix_report_results_as_of_policy ON report_results USING btree (as_of, policy);

CREATE INDEX ix_report_runs_open ON report_runs USING btree (launched_at) WHERE (ended_at IS NULL);

CREATE INDEX ix_reports_result_id ON reports USING btree (result_id);

CREATE INDEX ix_reports_waiting ON reports USING btree (requested_at) WHERE (state = 'waiting'::text);

CREATE INDEX ix_special_hours_local_date ON special_hours USING btree (local_date);

CREATE INDEX ix_statement_deliveries_open ON statement_deliveries USING btree (next_try_at) WHERE (state = ANY (ARRAY['waiting'::text, 'sending'::text]));

CREATE INDEX ix_status_runs_first_poll_at ON status_runs USING btree (first_poll_at);

CREATE INDEX ix_status_runs_first_poll_at_last_poll_at ON status_runs USING brin (first_poll_at, last_poll_at) WITH (autosummarize='on', pages_per_range='16');

CREATE INDEX ix_store_events_load_id ON store_events USING btree (load_id);

CREATE INDEX ix_store_events_store_key ON store_events USING btree (store_key, source, from_at);

CREATE INDEX ix_store_status_polled_at ON ONLY store_status USING brin (polled_at) WITH (autosummarize='on', pages_per_range='16');

CREATE INDEX ix_store_uptime_daily_local_date ON store_uptime_daily USING brin (local_date) WITH (autosummarize='on', pages_per_range='16');

CREATE INDEX ix_storefronts_store_key ON storefronts USING btree (store_key);

CREATE UNIQUE INDEX uq_alerts_open ON alerts USING btree (kind, subject) WHERE (closed_at IS NULL);

CREATE UNIQUE INDEX uq_api_keys_name ON api_keys USING btree (name) WHERE (revoked_at IS NULL);

CREATE TRIGGER daily_stale_closures_added_insert AFTER INSERT ON closures REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_closures_added();

CREATE TRIGGER daily_stale_closures_removed_delete AFTER DELETE ON closures REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_closures_removed();

CREATE TRIGGER daily_stale_closures_removed_update AFTER UPDATE ON closures REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_closures_removed();

CREATE TRIGGER daily_stale_corrections_added AFTER INSERT ON corrections REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_corrections_added();

CREATE TRIGGER daily_stale_corrections_changed AFTER UPDATE ON corrections REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_corrections_changed();

CREATE TRIGGER daily_stale_corrections_removed AFTER DELETE ON corrections REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_corrections_removed();

CREATE TRIGGER daily_stale_events_added AFTER INSERT ON store_events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_events_added();

CREATE TRIGGER daily_stale_events_changed AFTER UPDATE ON store_events REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_events_changed();

CREATE TRIGGER daily_stale_events_removed AFTER DELETE ON store_events REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_events_removed();

CREATE TRIGGER daily_stale_hours_added_insert AFTER INSERT ON business_hour_intervals REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_hours_added();

CREATE TRIGGER daily_stale_hours_removed_delete AFTER DELETE ON business_hour_intervals REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_hours_removed();

CREATE TRIGGER daily_stale_run_turned AFTER UPDATE ON status_runs FOR EACH ROW WHEN ((old.is_active <> new.is_active)) EXECUTE FUNCTION daily_stale_run_turned();

CREATE TRIGGER daily_stale_runs_added_insert AFTER INSERT ON status_runs REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_runs_added();

CREATE TRIGGER daily_stale_runs_changed_update AFTER UPDATE ON status_runs REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_runs_changed();

CREATE TRIGGER daily_stale_runs_removed_delete AFTER DELETE ON status_runs REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_runs_removed();

CREATE TRIGGER daily_stale_special_hours_delete AFTER DELETE ON special_hours REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_special_hours();

CREATE TRIGGER daily_stale_special_hours_insert AFTER INSERT ON special_hours REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_special_hours();

CREATE TRIGGER daily_stale_special_hours_update AFTER UPDATE ON special_hours REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_special_hours();

CREATE TRIGGER daily_stale_zones_added_insert AFTER INSERT ON store_timezones REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_zones_added();

CREATE TRIGGER daily_stale_zones_removed_delete AFTER DELETE ON store_timezones REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_zones_removed();

CREATE TRIGGER newest_poll_added AFTER INSERT ON status_runs REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION newest_poll_added();

CREATE TRIGGER newest_poll_changed AFTER UPDATE ON status_runs REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION newest_poll_changed();

CREATE TRIGGER newest_poll_removed AFTER DELETE ON status_runs REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION newest_poll_removed();

CREATE TRIGGER sent_statement_files_unchanged BEFORE DELETE OR UPDATE ON sent_statement_files FOR EACH ROW EXECUTE FUNCTION refuse_change_of_sent();

CREATE TRIGGER sent_statements_unchanged BEFORE DELETE OR UPDATE ON sent_statements FOR EACH ROW EXECUTE FUNCTION refuse_change_of_sent();

CREATE TRIGGER stale_weeks_hours_added AFTER INSERT ON business_hours REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_stale_weeks();

CREATE TRIGGER stale_weeks_hours_removed AFTER DELETE ON business_hours REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_stale_weeks();

CREATE TRIGGER stale_weeks_stores_added AFTER INSERT ON stores REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_stale_weeks();

CREATE TRIGGER unchecked_weeks_delete AFTER DELETE ON business_hour_intervals REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_unchecked_weeks();

CREATE TRIGGER unchecked_weeks_delete AFTER DELETE ON store_weeks REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_unchecked_weeks();

CREATE TRIGGER unchecked_weeks_insert AFTER INSERT ON business_hour_intervals REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_unchecked_weeks();

CREATE TRIGGER unchecked_weeks_insert AFTER INSERT ON store_weeks REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_unchecked_weeks();

CREATE TRIGGER unchecked_weeks_insert AFTER INSERT ON stores REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_unchecked_weeks();

CREATE TRIGGER unchecked_weeks_update AFTER UPDATE ON business_hour_intervals REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_unchecked_weeks();

CREATE TRIGGER unchecked_weeks_update AFTER UPDATE ON store_weeks REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_unchecked_weeks();

ALTER TABLE ONLY account_links
    ADD CONSTRAINT fk_account_links_account_id_accounts FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE;

ALTER TABLE ONLY account_sessions
    ADD CONSTRAINT fk_account_sessions_account_id_accounts FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE;
