using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;

namespace EmrMarket.Silos.Tests.Records;

/// <summary>Gzip files of several members (RFC 1952, section 2.2) are the data of all of them; cut ones, and others behind which something
/// else stands, are refused.</summary>
public sealed class GzipMembersTests : IDisposable
{
    // The empty member with which bgzip ends a file (SAM specification, section 4.1.2), with its extra field.
    private static readonly byte[] BgzipEnd = Convert.FromHexString("1f8b08040000000000ff0600424302001b0003000000000000000000");

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Members_of_any_number_and_size_are_one_file()
    {
        Random random = new(1);
        byte[] text = new byte[300_000];
        random.NextBytes(text);
        foreach (int[] cuts in new int[][] { [], [1], [150_000], [0, 0, 5], [.. Enumerable.Range(1, 200).Select(i => i * 1000)] })
        {
            byte[] packed = [.. cuts.Prepend(0).Zip(cuts.Append(text.Length)).SelectMany(part =>
                TestFolder.Gzip(text[part.First..part.Second]))];
            Assert.Equal(text, Read(packed));
            Assert.Equal(text, Read([.. packed, .. BgzipEnd]));
        }

        // Members that end at every place of the reader's buffer of 8 KiB, and just around it.
        for (int length = 8100; length < 8200; length++)
        {
            using MemoryStream stored = new();
            using (GZipStream gzip = new(stored, CompressionLevel.NoCompression))
            {
                gzip.Write(text.AsSpan(0, length));
            }

            Assert.Equal([.. text[..length], .. text[..100]], Read([.. stored.ToArray(), .. TestFolder.Gzip(text[..100])]));
        }
    }

    [Fact]
    public void Bytes_that_are_no_member_behind_one_are_refused()
    {
        byte[] member = TestFolder.Gzip("some text, some text, some text");
        foreach (byte[] rest in new byte[][]
            { [0], [0x1F], [0x1F, 0x8B], new byte[512], [.. "PK"u8], member[..9], [.. Enumerable.Reverse(member)] })
        {
            Refused([.. member, .. rest]);
            Refused([.. member, .. member, .. rest]);
        }
    }

    [Fact]
    public void Cut_and_damaged_members_are_refused_wherever_they_are()
    {
        foreach (CompressionLevel level in new[] { CompressionLevel.NoCompression, CompressionLevel.Optimal })
        {
            byte[] first = Packed("a first member of some length", level), second = Packed("and a second one", level);
            for (int kept = 1; kept < second.Length; kept++)
            {
                Refused([.. first, .. second[..kept]]);
                Refused(kept > 1 ? second[..kept] : [0x1F, 0x8B]);
                if (kept > 1 && kept < first.Length)
                {
                    // One byte alone is not yet that of a gzip file.
                    Refused([.. first[..kept], .. second]);
                }
            }

            // The sum and the length of each member count.
            for (int i = 1; i <= 8; i++)
            {
                byte[] damaged = [.. first, .. second];
                damaged[first.Length - i] ^= 1;
                Refused(damaged);
            }
        }

        static byte[] Packed(string text, CompressionLevel level)
        {
            using MemoryStream packed = new();
            using (GZipStream gzip = new(packed, level))
            {
                gzip.Write(Encoding.UTF8.GetBytes(text));
            }

            return packed.ToArray();
        }
    }

    [Fact]
    public void Bound_of_what_a_file_unpacks_to_is_over_all_members()
    {
        byte[] honest = TestFolder.Gzip(RandomText(50_000)), bomb = TestFolder.Gzip(new string(' ', 3 << 20));
        MappingLimits limits = new() { FreeUnpackedBytes = 1 << 20, UnpackRatio = 20 };
        Assert.Equal(50_000, Limited(honest));
        foreach (byte[] file in new byte[][] { [.. honest, .. bomb], [.. bomb, .. honest], [.. Enumerable.Repeat(
            TestFolder.Gzip(new string(' ', 1 << 19)), 8).SelectMany(member => member)] })
        {
            Assert.Equal("unpacks-too-large", Assert.Throws<InputException>(() => Limited(file)).Problems[0].Code);
        }

        long Limited(byte[] packed)
        {
            using Stream stream = LimitedStream.Open(_folder.Write("limited.gz", packed), limits);
            byte[] buffer = new byte[1 << 16];
            long count = 0;
            for (int read; (read = stream.Read(buffer)) > 0; count += read)
            {
            }

            return count;
        }
    }

    [Fact]
    public void Files_that_gzip_packed_and_cat_joined_are_read()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        string text = RandomText(200_000);
        _folder.Write("a", text[..70_000]);
        _folder.Write("b", text[70_000..]);
        using Process process = Process.Start(new ProcessStartInfo("sh", ["-c", "gzip -1 a && gzip -9 b && cat a.gz b.gz > joined.gz"])
        {
            WorkingDirectory = _folder.Path, UseShellExecute = false,
        })!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        Assert.Equal(text, Encoding.UTF8.GetString(Read(File.ReadAllBytes(_folder.Place("joined.gz")))));
    }

    private static string RandomText(int length)
    {
        Random random = new(2);
        return string.Concat(Enumerable.Range(0, length).Select(_ => (char)random.Next(' ', '~')));
    }

    private byte[] Read(byte[] packed)
    {
        using MemoryStream text = new();
        using Stream stream = RecordFile.Open(_folder.Write("members.gz", packed));
        stream.CopyTo(text);
        return text.ToArray();
    }

    private void Refused(byte[] packed) =>
        Assert.Equal("damaged-gzip", Assert.Throws<InputException>(() => Read(packed)).Problems[0].Code);
}
