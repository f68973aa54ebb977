using System.Text;
using EmrMarket.Silos.Tests.Commands;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>Tables of any length are mapped in the memory that their persons take.</summary>
public sealed class OmopMemoryTests
{
    [Fact]
    public Task Memory_does_not_grow_with_the_rows() => MapsInLittleMemoryAsync(60L << 20);

    [Fact]
    [Trait("Duration", "Long")]
    public Task Memory_does_not_grow_with_a_gigabyte_of_rows() => MapsInLittleMemoryAsync(1L << 30);

    /// <summary>Maps a table of more bytes than the heap, of 48 MiB, may hold: the runtime ends a process that wants more than its
    /// limit.</summary>
    private static async Task MapsInLittleMemoryAsync(long bytes)
    {
        using OmopFolderWriter folder = OmopFolderWriter.Random(41, 200).WriteCsv();
        byte[] rows = Encoding.UTF8.GetBytes(string.Concat(folder.Csv("measurement").Split('\n').Skip(1).Select(row => row + "\n"))
            .TrimEnd('\n') + "\n");
        await using (FileStream table = new(folder.File_("measurement.csv"), FileMode.Append))
        {
            while (table.Position < bytes)
            {
                table.Write(rows);
            }
        }

        (int code, string output, string error) = await CommandProcess.RunAsync(
            folder.Path, ["data", "map", "--omop", ".", "--mapping", "omop", "--schema", "synthea", "--out", "large.csv"],
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DOTNET_GCHeapHardLimit"] = "0x3000000" });
        Assert.True(code == 0, error);
        Assert.Equal("large.csv: 200 rows\n", output);
    }
}
