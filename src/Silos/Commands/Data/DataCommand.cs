using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Commands.Data;

/// <summary><c>emr data</c>: verify published files, generate synthetic ones, map resources.</summary>
internal static class DataCommand
{
    /// <summary>The command.</summary>
    public static Command Create() => new(
        "data",
        """
        Files of records: published ones (data/README.md says where anyone gets them) synthetic ones, and those that are mapped from resources of HL7 FHIR (docs/FHIR.md).

        Examples:
          emr data verify diabetic_data.csv.gz
          emr data generate --records 200000 --out synthetic.csv.gz
          emr data map --fhir output/fhir --mapping synthea --out records.csv.gz
        """)
    {
        Verify(), Generate(), MapCommand.Create(),
    };

    private static Command Verify()
    {
        var files = new Argument<string[]>("FILE") { Description = "Files, plain or .gz.", Arity = ArgumentArity.OneOrMore };
        var command = new Command("verify", "Compares files with the published ones by the SHA-256 of their unpacked bytes. Exit code 1 "
            + "when one is none of them.") { files };
        command.SetAction(async (parsed, cancellation) =>
        {
            IReadOnlyList<SourceFile> known = DataFolder.Sources();
            bool all = true;
            foreach (string file in parsed.GetValue(files)!)
            {
                (string hash, long bytes) = await HashAsync(file, cancellation);
                SourceFile? match = known.FirstOrDefault(s => s.Sha256 == hash);
                all &= match is not null;
                SourceFile? named = known.FirstOrDefault(
                    s => Path.GetFileName(file).StartsWith(s.File, StringComparison.OrdinalIgnoreCase));
                string expected = match is not null || named is null
                    ? ""
                    : string.Create(
                        CultureInfo.InvariantCulture,
                        $" Expected for {named.File}: {named.Sha256} ({named.Bytes} bytes). Download it again.");
                Console.Out.WriteLine(match is not null
                    ? string.Create(CultureInfo.InvariantCulture, $"{file}: {match.Title}, {match.Rows} rows, unchanged. SHA-256 {hash}")
                    : string.Create(
                        CultureInfo.InvariantCulture,
                        $"{file}: none of the published files. SHA-256 {hash} ({bytes} bytes unpacked).{expected}"));
            }

            return all ? ExitCode.Success : ExitCode.Failure;
        });
        return command;
    }

    private static async Task<(string Hash, long Bytes)> HashAsync(string file, CancellationToken cancellation)
    {
        await using Stream stream = RecordFile.Open(file);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 16];
        long bytes = 0;
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellation)) > 0)
        {
            hash.AppendData(buffer, 0, read);
            bytes += read;
        }

        return (Convert.ToHexStringLower(hash.GetHashAndReset()), bytes);
    }

    private static Command Generate()
    {
        var records = new Option<long>("--records")
        {
            Description = "How many records.", HelpName = "N", DefaultValueFactory = _ => 200_000,
        };
        var output = new Option<string>(
            "--out") { Description = "The CSV file; packed when its name ends in .gz.", HelpName = "FILE", Required = true };
        var seed = new Option<ulong?>("--seed")
        {
            Description = "The number of the set (default: the built-in set that 'evaluate' uses).", HelpName = "N",
        };
        records.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<long>() < 1)
            {
                result.AddError("--records is at least 1.");
            }
        });
        var command = new Command("generate", "Writes synthetic records (schema 'synthetic') with published marginals. Equal numbers give "
            + "equal files.") { records, output, seed };
        command.SetAction((parsed, cancellation) =>
        {
            string path = parsed.GetValue(output)!;
            try
            {
                SyntheticFile.Write(DataFolder.LoadSynthetic(
                    DataFolder.SyntheticSeed(parsed.GetValue(seed))), parsed.GetValue(records), path, cancellation);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CommandException(ExitCode.Failure, $"{path} cannot be written: {e.Message}", e);
            }

            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{path}: {parsed.GetValue(records)} synthetic records."));
            return Task.FromResult(ExitCode.Success);
        });
        return command;
    }
}
