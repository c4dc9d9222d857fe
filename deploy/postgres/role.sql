-- The database role that Reinstate works as: what it needs in one database, and nothing else. It is no superuser.
--
--   psql -v role=reinstate -v schemas=public,app -v read_only=countries,app.plans -f role.sql DATABASE
--
-- Run it as a superuser (or as the owner of the tables, once a superuser has run it). It can be run again, and should be
-- after migrations: a new table can be read at once, but written to only after this was run again.
--
--   role       its name (default: reinstate). It is made if it is not there; give it a password with \password.
--   schemas    those that hold the tables of the tenant map (default: public), with commas and no blanks.
--   read_only  tables that are shared or excluded there: they are read and locked against deletion, never changed
--              (default: none), with commas and no blanks, and with their schema unless that is public.

\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
\if :{?role} \else \set role reinstate \endif
\if :{?schemas} \else \set schemas public \endif
\if :{?read_only} \else \set read_only '' \endif

BEGIN;

SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

CREATE TEMP TABLE reinstate_schemas ON COMMIT DROP AS
SELECT n.oid, n.nspname FROM pg_namespace n WHERE n.nspname = ANY (string_to_array(:'schemas', ','));

CREATE TEMP TABLE reinstate_tables ON COMMIT DROP AS
SELECT c.oid, s.nspname, c.relname, c.relowner, c.relrowsecurity,
  EXISTS (SELECT FROM unnest(string_to_array(:'read_only', ',')) r
          WHERE r = s.nspname || '.' || c.relname OR s.nspname = 'public' AND r = c.relname) AS read_only
FROM pg_class c JOIN reinstate_schemas s ON s.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't';

-- The database: temporary tables hold what a check has to look for.
SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), :'role') \gexec
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', nspname, :'role') FROM reinstate_schemas \gexec

-- All tables are read, excluded ones too: they can be children of what a restore deletes.
SELECT format('GRANT SELECT ON %I.%I TO %I', nspname, relname, :'role') FROM reinstate_tables \gexec
SELECT format('GRANT INSERT, UPDATE, DELETE ON %I.%I TO %I', nspname, relname, :'role')
FROM reinstate_tables WHERE NOT read_only \gexec

-- SELECT … FOR KEY SHARE on parents needs UPDATE on one column; nothing is updated there.
SELECT format('GRANT UPDATE (%I) ON %I.%I TO %I', a.attname, t.nspname, t.relname, :'role')
FROM reinstate_tables t JOIN pg_attribute a ON a.attrelid = t.oid
WHERE t.read_only AND a.attnum = (SELECT min(b.attnum) FROM pg_attribute b
                                  WHERE b.attrelid = t.oid AND b.attnum > 0 AND NOT b.attisdropped) \gexec

-- Sequences are moved past what a restore brings back.
SELECT format('GRANT SELECT, UPDATE, USAGE ON SEQUENCE %I.%I TO %I', s.nspname, c.relname, :'role')
FROM pg_class c JOIN reinstate_schemas s ON s.oid = c.relnamespace WHERE c.relkind = 'S' \gexec

-- Functions in constraints, in expressions of indexes and in generated columns run when rows are written.
SELECT DISTINCT format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, :'role')
FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid AND d.refclassid = 'pg_proc'::regclass
LEFT JOIN pg_constraint o ON d.classid = 'pg_constraint'::regclass AND o.oid = d.objid
LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
LEFT JOIN pg_index i ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid
JOIN reinstate_tables t ON t.oid = coalesce(nullif(o.conrelid, 0), f.adrelid, i.indrelid)
WHERE p.pronamespace <> 'pg_catalog'::regnamespace \gexec
SELECT DISTINCT format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, :'role')
FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid AND d.refclassid = 'pg_proc'::regclass
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_constraint o ON d.classid = 'pg_constraint'::regclass AND o.oid = d.objid
JOIN reinstate_tables t ON t.oid = o.conrelid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') \gexec

-- Triggers, cascades and foreign keys are silent in a restore, which checks the keys itself.
SELECT format('GRANT SET ON PARAMETER session_replication_role TO %I', :'role') \gexec
-- Which cluster this is.
SELECT format('GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO %I', :'role') \gexec
-- Who waits, and how replication fares.
SELECT format('GRANT pg_read_all_stats TO %I', :'role') \gexec
-- With policies on a table, its rows would be hidden from a role that does not bypass them.
SELECT format('ALTER ROLE %I BYPASSRLS', :'role')
WHERE EXISTS (SELECT FROM reinstate_tables WHERE relrowsecurity) \gexec

-- What the owners of these tables make later can be read at once: a table that cannot would fail the next snapshot.
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO %I', r.rolname, s.nspname,
              :'role')
FROM reinstate_schemas s, (SELECT DISTINCT relowner FROM reinstate_tables) o JOIN pg_roles r ON r.oid = o.relowner \gexec
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT, UPDATE, USAGE ON SEQUENCES TO %I',
              r.rolname, s.nspname, :'role')
FROM reinstate_schemas s, (SELECT DISTINCT relowner FROM reinstate_tables) o JOIN pg_roles r ON r.oid = o.relowner \gexec

COMMIT;
