-- The databases of a CSGHub release, with one owner each and a few rows, so that a dump has something to lose.
-- Passwords are the names: nothing but loopback reaches this server.
\set ON_ERROR_STOP on
\set QUIET on
CREATE TEMP TABLE wanted (name text);
INSERT INTO wanted VALUES ('csghub_server'), ('csghub_portal'), ('csghub_casdoor'), ('csghub_temporal'),
  ('csghub_temporal_visibility'), ('csghub_dataflow'), ('csghub_dataflow_logs'), ('csghub_label_studio'),
  ('csghub_csgship'), ('csghub_xnet'), ('csghub_agenticflow');
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', name, name) FROM wanted \gexec
SELECT format('CREATE DATABASE %I OWNER %I', name, name) FROM wanted \gexec

\connect csghub_server
SET ROLE csghub_server;
CREATE TABLE users (id bigserial PRIMARY KEY, username text NOT NULL UNIQUE, email text, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE repositories (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id), path text NOT NULL UNIQUE,
  private boolean NOT NULL DEFAULT false, size numeric(20, 2), metadata jsonb);
CREATE INDEX repositories_user ON repositories (user_id);
CREATE VIEW public_repositories AS SELECT path, size FROM repositories WHERE NOT private;
INSERT INTO users (username, email) SELECT 'user-' || i, 'user-' || i || '@example.com' FROM generate_series(1, 20) i;
INSERT INTO repositories (user_id, path, private, size, metadata)
  SELECT 1 + i % 20, 'models/模型-' || i, i % 3 = 0, i * 1.25, jsonb_build_object('tags', jsonb_build_array('tag''s', i))
  FROM generate_series(1, 200) i;

\connect csghub_portal
SET ROLE csghub_portal;
CREATE TABLE system_configs (id serial PRIMARY KEY, key text NOT NULL UNIQUE, value jsonb NOT NULL);
INSERT INTO system_configs (key, value) VALUES ('theme', '{"dark": true}'), ('banner', '{"text": "welcome"}');

\connect csghub_casdoor
SET ROLE csghub_casdoor;
CREATE TABLE organization (owner varchar(100), name varchar(100), PRIMARY KEY (owner, name));
CREATE TABLE application (owner varchar(100), name varchar(100), client_id varchar(100), redirect_uris text, PRIMARY KEY (owner, name));
INSERT INTO organization VALUES ('admin', 'built-in'), ('admin', 'OpenCSG');
INSERT INTO application VALUES ('admin', 'CSGHub', 'id-1', '["http://csghub.example.com/api/v1/callback/casdoor"]');

\connect csghub_temporal
SET ROLE csghub_temporal;
CREATE TABLE schema_version (version_partition int, db_name text, curr_version text, PRIMARY KEY (version_partition, db_name));
CREATE TABLE executions (shard_id int, workflow_id text, data bytea, PRIMARY KEY (shard_id, workflow_id));
INSERT INTO schema_version VALUES (0, 'temporal', '1.17');
INSERT INTO executions SELECT i % 4, 'workflow-' || i, decode(md5(i::text), 'hex') FROM generate_series(1, 50) i;

\connect csghub_temporal_visibility
SET ROLE csghub_temporal_visibility;
CREATE TABLE executions_visibility (namespace_id text, run_id text, status int, PRIMARY KEY (namespace_id, run_id));
INSERT INTO executions_visibility SELECT 'default', 'run-' || i, i % 3 FROM generate_series(1, 50) i;

-- The six tables that the 2.2.0 migration empties; collection_tasks hangs on datasources.
\connect csghub_dataflow
SET ROLE csghub_dataflow;
CREATE TABLE datasources (id serial PRIMARY KEY, name text NOT NULL, source_type int);
CREATE TABLE collection_tasks (id serial PRIMARY KEY, datasource_id int REFERENCES datasources (id), status int);
CREATE TABLE data_format_tasks (id serial PRIMARY KEY, name text, status int);
CREATE TABLE deletion_status (id serial PRIMARY KEY, table_name text, deleted boolean);
CREATE TABLE job (job_id serial PRIMARY KEY, job_name text, status text, created_at timestamptz DEFAULT now());
CREATE TABLE workers (id serial PRIMARY KEY, worker_name text);
CREATE TABLE algo_templates (id serial PRIMARY KEY, name text);
INSERT INTO datasources (name, source_type) SELECT 'source-' || i, i % 4 FROM generate_series(1, 10) i;
INSERT INTO collection_tasks (datasource_id, status) SELECT 1 + i % 10, i % 5 FROM generate_series(1, 30) i;
INSERT INTO data_format_tasks (name, status) SELECT 'format-' || i, i % 5 FROM generate_series(1, 15) i;
INSERT INTO deletion_status (table_name, deleted) VALUES ('algo_templates', true);
INSERT INTO job (job_name, status) SELECT 'job-' || i, 'Finished' FROM generate_series(1, 40) i;
INSERT INTO workers (worker_name) VALUES ('worker-1'), ('worker-2');
INSERT INTO algo_templates (name) SELECT 'template-' || i FROM generate_series(1, 12) i;

\connect csghub_dataflow_logs
SET ROLE csghub_dataflow_logs;
CREATE TABLE task_logs (id bigserial PRIMARY KEY, task_id int, level text, message text);
INSERT INTO task_logs (task_id, level, message) SELECT i % 30, 'INFO', 'line ' || i FROM generate_series(1, 100) i;

\connect csghub_label_studio
SET ROLE csghub_label_studio;
CREATE TABLE project (id serial PRIMARY KEY, title text, created_at timestamptz DEFAULT now());
INSERT INTO project (title) VALUES ('first'), ('second');

\connect csghub_csgship
SET ROLE csghub_csgship;
CREATE TABLE sessions (id serial PRIMARY KEY, token text);
INSERT INTO sessions (token) SELECT md5(i::text) FROM generate_series(1, 5) i;

\connect csghub_xnet
SET ROLE csghub_xnet;
CREATE TABLE files (hash text PRIMARY KEY, size bigint);
INSERT INTO files SELECT md5(i::text), i * 1024 FROM generate_series(1, 25) i;

\connect csghub_agenticflow
SET ROLE csghub_agenticflow;
CREATE TABLE flow (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, data jsonb);
INSERT INTO flow (name, data) SELECT 'flow-' || i, '{"nodes": []}' FROM generate_series(1, 3) i;
