using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Fhir;

namespace EmrMarket.Silos.Tests.Mapping.Mutations;

/// <summary>
/// Reads mutation after mutation and holds each reading to what a load promises: it ends, in rows or in a refusal with place and fix; it
/// takes memory by the size of the input; and no value of a record is in any word that may leave the site.
/// </summary>
internal sealed class MutationRun
{
    // What a load takes whatever it reads: windows, buffers of files and of the CSV reader.
    private const long FixedBytes = 8 << 20;
    private const long MostBytesPerByte = 64;

    private const int Remembered = 100;

    // Not how fast it is: only that it ends at all.
    private static readonly TimeSpan Endless = TimeSpan.FromMinutes(2);

    // Codes of what is wrong with a file as a whole, so that no line can be told.
    private static readonly string[] Whole = ["empty-file", "damaged-gzip", "unpacks-too-large", "no-resources"];

    private readonly string[] _secrets;
    private readonly Queue<WeakReference> _kept = new();

    /// <summary>Begins a run.</summary>
    /// <param name="secrets">Parts of values of which none may be told.</param>
    public MutationRun(params string[] secrets) => _secrets = secrets;

    private int Times { get; set; }

    private int Read { get; set; }

    private int Refused { get; set; }

    private int WithIssues { get; set; }

    /// <summary>Reads one mutation.</summary>
    /// <param name="files">The files by name, unpacked; of those that a reader names.</param>
    /// <param name="read">The reading.</param>
    /// <param name="checkPlace">Holds the place of an issue against the file in which it is.</param>
    public async Task OneAsync(
        IReadOnlyDictionary<string, byte[]> files, Func<RowAccumulator> read, Action<Place, byte[]> checkPlace)
    {
        Times++;
        long bytes = files.Values.Sum(file => (long)file.Length);
        (MappingReport? report, InputException? refusal, long allocated) = await Task.Run(() => Measure(read)).WaitAsync(Endless);
        _kept.Enqueue(new WeakReference((object?)report ?? refusal));
        if (_kept.Count > Remembered)
        {
            _kept.Dequeue();
        }

        Assert.True(allocated <= FixedBytes + (MostBytesPerByte * bytes),
            string.Create(CultureInfo.InvariantCulture, $"mutation {Times}: {allocated} bytes for {bytes}"));
        if (refusal is not null)
        {
            Refused++;
            Assert.All(refusal.Problems, problem => Check(problem, files));
            return;
        }

        Read++;
        WithIssues += report!.TotalIssues > 0 ? 1 : 0;
        foreach (MappingIssue issue in report.Issues)
        {
            NothingTold(issue.Message);
            Assert.NotEqual("", issue.Message);
            Assert.True(issue.Place is not null || issue.Unit is not null);
            if (issue.Place is { } place)
            {
                Assert.True(place.Index >= 1);
                checkPlace(place, files[Path.GetFileName(report.Files[place.File])]);
            }
        }

        if (report.TotalIssues > 0)
        {
            using JsonDocument outcome = JsonDocument.Parse(OutcomeFile.Text(report));
        }
    }

    /// <summary>Ends the run: the mutations reached every outcome, and what was read is kept nowhere.</summary>
    public void End()
    {
        Assert.True(Read > Times / 10 && Refused > Times / 10 && WithIssues > Times / 20, string.Create(
            CultureInfo.InvariantCulture, $"of {Times}, {Read} were read, {WithIssues} with issues, and {Refused} refused"));
        GC.Collect();
        Assert.InRange(_kept.Count(each => each.IsAlive), 0, 2);
    }

    /// <summary>A file's bytes, unpacked as far as they go.</summary>
    public static byte[] Unpacked(byte[] bytes)
    {
        if (!bytes.AsSpan().StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]))
        {
            return bytes;
        }

        using MemoryStream unpacked = new();
        using GZipStream gzip = new(new MemoryStream(bytes), CompressionMode.Decompress);
        try
        {
            gzip.CopyTo(unpacked);
        }
        catch (InvalidDataException)
        {
            // A refusal tells it.
        }

        return unpacked.ToArray();
    }

    /// <summary>The most lines that a file can be said to have.</summary>
    public static int Lines(ReadOnlySpan<byte> file) => file.Count((byte)'\n') + file.Count((byte)'\r') + 1;

    private static (MappingReport? Report, InputException? Refusal, long Allocated) Measure(Func<RowAccumulator> read)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            RowAccumulator rows = read();
            MappedRowSet set = rows.Finish();
            using StringWriter csv = new(CultureInfo.InvariantCulture) { NewLine = "\n" };
            set.Write(csv, CancellationToken.None);
            Assert.Equal(set.Count + 1, csv.GetStringBuilder().ToString().Count(c => c == '\n'));
            return (rows.Report, null, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        catch (InputException e)
        {
            return (null, e, GC.GetAllocatedBytesForCurrentThread() - before);
        }
    }

    private void Check(InputProblem problem, IReadOnlyDictionary<string, byte[]> files)
    {
        NothingTold(problem.Message + problem.Fix + problem.Column);
        Assert.NotEqual("", problem.Message);
        Assert.NotEqual("", problem.Fix);
        byte[] file = files[Path.GetFileName(problem.File)];
        if (Whole.Contains(problem.Code, StringComparer.Ordinal))
        {
            Assert.Equal(0, problem.Line);
        }
        else
        {
            Assert.InRange(problem.Line, 1, Lines(file));
        }
    }

    private void NothingTold(string text) =>
        Assert.DoesNotContain(_secrets, secret => text.Contains(secret, StringComparison.OrdinalIgnoreCase));
}
