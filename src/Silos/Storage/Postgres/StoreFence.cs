using Npgsql;

namespace EmrMarket.Silos.Storage.Postgres;

/// <summary>
/// What keeps a process that lost its database from writing to it, also before it knows. The database has one row that names its holder;
/// whoever takes it gives that row a new name, which the connections of the stores carry as the setting <c>emr.owner</c>. A trigger on
/// every table reads the row in the transaction of each write, and locks it until that ends: a write of a former holder is refused, and
/// the next one waits for a write that is under way. The runner of the migrations sets the triggers, so that no table can be without.
/// </summary>
internal static class StoreFence
{
    /// <summary>The SQL state of a refused write.</summary>
    public const string Refused = "EMR01";

    /// <summary>Refuses whoever is not the holder, and holds the database until the end of the transaction.</summary>
    public const string Hold = "SELECT hold_store()";

    // Any number, the same in every program.
    private const long LockKey = 0x656d725f66656e63;

    private const string Row =
        """
        CREATE TABLE IF NOT EXISTS store_owner (
            one boolean PRIMARY KEY DEFAULT true CHECK (one),
            taken bigint NOT NULL DEFAULT 0,
            holder text NOT NULL DEFAULT ''
        );
        INSERT INTO store_owner DEFAULT VALUES ON CONFLICT DO NOTHING;
        """;

    // A lock of the row and not of its key alone, since its key never changes.
    private const string Triggers =
        """
        CREATE OR REPLACE FUNCTION hold_store() RETURNS void LANGUAGE plpgsql AS $body$
        DECLARE mine text := coalesce(current_setting('emr.owner', true), '');
        BEGIN
            PERFORM 1 FROM store_owner WHERE holder = mine FOR SHARE;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'this process holds the database as ''%'', and its holder is ''%''', mine, (SELECT holder FROM store_owner)
                    USING ERRCODE = 'EMR01', HINT = 'Another process took it over. End this one.';
            END IF;
        END
        $body$;

        CREATE OR REPLACE FUNCTION fence() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            PERFORM hold_store();
            RETURN NULL;
        END
        $body$;

        DO $body$
        DECLARE missing text;
        BEGIN
            FOR missing IN
                SELECT relname FROM pg_class
                WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace AND relname <> 'store_owner'
                    AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgname = 'fence')
            LOOP
                EXECUTE format(
                    'CREATE TRIGGER fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION fence()',
                    missing);
            END LOOP;
        END
        $body$;
        """;

    /// <summary>Fences the tables that a migration made.</summary>
    public static async Task RaiseAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(Row + Triggers, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Takes the database from whoever had it, once no write of theirs is under way.</summary>
    /// <param name="connection">A connection to it.</param>
    /// <param name="isShared">Whether several processes have it by design, as a cluster does: its connections carry no name.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The name of the new holder.</returns>
    public static async Task<string> TakeAsync(NpgsqlConnection connection, bool isShared, CancellationToken cancellationToken)
    {
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using (NpgsqlCommand prepare = new(
            FormattableString.Invariant($"SELECT pg_advisory_xact_lock({LockKey}); {Row}"), connection))
        {
            await prepare.ExecuteNonQueryAsync(cancellationToken);
        }

        await using NpgsqlCommand take = new(
            isShared ? "UPDATE store_owner SET taken = taken + 1, holder = '' WHERE holder <> ''"
                : "UPDATE store_owner SET taken = taken + 1, holder = (taken + 1)::text RETURNING holder", connection);
        object? holder = await take.ExecuteScalarAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return holder as string ?? "";
    }

    /// <summary>The name of the holder.</summary>
    public static async Task<string> HolderAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new("SELECT holder FROM store_owner", connection);
        return (string)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>How the stores of a holder connect: by a setting of a session's start, which nothing that resets one takes away.</summary>
    public static string ConnectionStringOf(string connectionString, string holder)
    {
        NpgsqlConnectionStringBuilder builder = ConnectionStrings.Read(connectionString);
        builder.Options = holder.Length == 0 ? builder.Options : $"{builder.Options} -c emr.owner={holder}".Trim();
        return builder.ConnectionString;
    }
}
