using System.Text.Json;
using EmrMarket.Silos.Storage.Backup;

namespace EmrMarket.Silos.Commands.Backup;

/// <summary>The state of the embedded chain, which its node writes whole every second while it runs.</summary>
internal static class ChainState
{
    private const int Attempts = 100;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>The file.</summary>
    public static string FileOf(string folder) => Path.Combine(folder, "state.json");

    /// <summary>Copies it once it is whole and has a block.</summary>
    /// <param name="folder">The chain's folder.</param>
    /// <param name="block">The block that it must have.</param>
    /// <param name="write">Takes the content.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="BackupException">It is not there, or never was whole.</exception>
    public static async Task CopyAsync(
        string folder, long block, Func<ReadOnlyMemory<byte>, Task> write, CancellationToken cancellationToken)
    {
        string path = FileOf(folder);
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            if (!File.Exists(path))
            {
                throw new BackupException($"there is no state of an embedded chain in {folder}");
            }

            // Written in place: a copy that ends too early is read again.
            byte[] content = await File.ReadAllBytesAsync(path, cancellationToken);
            if (BestBlock(content) is { } best && best >= block)
            {
                await write(content);
                return;
            }

            await Task.Delay(Pause, cancellationToken);
        }

        throw new BackupException($"{path} did not come to block {block}, or was never whole: see that its node runs, and try again");
    }

    /// <summary>The newest block of a state; null when it is not whole.</summary>
    public static long? BestBlock(ReadOnlySpan<byte> content)
    {
        long? best = null;
        Utf8JsonReader reader = new(content);
        try
        {
            while (reader.Read())
            {
                if (reader.CurrentDepth == 1 && reader.TokenType == JsonTokenType.PropertyName
                    && reader.ValueTextEquals("best_block_number"u8))
                {
                    reader.Read();
                    best = reader.GetInt64();
                }
            }
        }
        catch (JsonException)
        {
            return null;
        }

        return best;
    }
}
