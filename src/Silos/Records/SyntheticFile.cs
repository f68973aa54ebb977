using System.IO.Compression;
using System.Text;
using EmrMarket.Analytics.Records.Synthetic;

namespace EmrMarket.Silos.Records;

/// <summary>Writes synthetic records as CSV, as a site would hold them.</summary>
internal static class SyntheticFile
{
    /// <summary>
    /// Writes exactly this many records; the file appears under its name when it is whole. Packed when the name ends in .gz.
    /// </summary>
    public static void Write(SyntheticGenerator generator, long records, string path, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        string unfinished = path + ".part";
        try
        {
            using (FileStream file = File.Create(unfinished))
            {
                using Stream stream = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)
                    ? new GZipStream(file, CompressionLevel.Fastest)
                    : file;
                Write(generator, records, stream, cancellationToken);
            }

            File.Move(unfinished, path, overwrite: true);
        }
        finally
        {
            File.Delete(unfinished);
        }
    }

    private static void Write(SyntheticGenerator generator, long records, Stream stream, CancellationToken cancellationToken)
    {
        byte[][][] texts = [.. Enumerable.Range(0, generator.Columns.Count)
            .Select(c => generator.Texts(c).Select(t => Encoding.UTF8.GetBytes("," + t)).ToArray())];
        stream.Write(Encoding.UTF8.GetBytes($"record_id,person_id,{string.Join(',', generator.Columns)}\n"));
        byte[] buffer = new byte[1 << 16];
        int used = 0;
        void Append(ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(buffer.AsSpan(used));
            used += bytes.Length;
        }

        foreach (SyntheticBatch batch in generator.GenerateBatches(records, SyntheticGenerator.DefaultBatchSize))
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (int i = 0; i < batch.Count; i++)
            {
                if (used > buffer.Length - 4096)
                {
                    stream.Write(buffer, 0, used);
                    used = 0;
                }

                ((ulong)(batch.FirstRecord + i + 1))
                    .TryFormat(buffer.AsSpan(used), out int written, provider: System.Globalization.CultureInfo.InvariantCulture);
                used += written;
                Append(","u8);
                ((ulong)(batch.Persons[i] + 1))
                    .TryFormat(buffer.AsSpan(used), out written, provider: System.Globalization.CultureInfo.InvariantCulture);
                used += written;
                for (int column = 0; column < texts.Length; column++)
                {
                    Append(texts[column][batch.Values[column][i]]);
                }

                Append("\n"u8);
            }
        }

        stream.Write(buffer, 0, used);
    }
}
