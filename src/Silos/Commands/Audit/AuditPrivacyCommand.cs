using System.CommandLine;
using EmrMarket.Analytics.Auditing;
using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Silos.Commands.Audit;

/// <summary><c>emr audit-privacy</c>: its options and help.</summary>
internal static class AuditPrivacyCommand
{
    private const string Description =
        """
        Attacks the program's own randomised reports and says what it found.

        First, every mechanism at every grade from outside: reports of two values are drawn, the event that tells them apart best is counted, and the
        privacy loss is bounded from below by exact binomial limits. A bound above the claimed epsilon is a violation. The table shows the smallest
        excess that this many samples could have seen: what it did not see may still be there below that.

        Second, re-identification: how often someone who knows a person's whole raw record finds that person's reports in a crowd, by grade and
        number of attributes, and under a policy. Without --data, 20,000 synthetic records are made.

        Examples:
          emr audit-privacy
          emr audit-privacy --samples 1000000 --mechanism grr
          emr audit-privacy --data diabetic_data.csv.gz --schema diabetic_data --policy generous

        Exit codes: 0 nothing found, 1 a mechanism loses more than it claims, 2 wrong command or input.
        """;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var samples = new Option<long>("--samples")
        {
            Description = "Reports to draw for each of the two values of every mechanism and grade.", HelpName = "N",
            DefaultValueFactory = _ => 10_000_000,
        };
        var mechanisms = new Option<string[]>("--mechanism")
        {
            Description = $"Audit only this one: {string.Join(", ", MechanismCatalogue.All.Select(m => m.Id))}. Repeat it for several.",
            HelpName = "ID",
        };
        var data = new Option<string[]>("--data")
        {
            Description = "A CSV file of records, plain or .gz, for the re-identification.", HelpName = "FILE",
        };
        var schema = new Option<string?>("--schema")
        {
            Description = "Its schema: the name of one in data/schemas, or a JSON file.", HelpName = "NAME|FILE",
        };
        var policy = new Option<string?>(
            "--policy") { Description = "A profile of the schema's menu; without it the schema's default ceilings.", HelpName = "NAME" };
        var people = new Option<int>("--people")
        {
            Description = $"Size of the crowd, 2 to {Reidentification.MaxPeople}.", HelpName = "N", DefaultValueFactory = _ => 1_000,
        };
        var json = new Option<bool>("--json") { Description = "Print the findings as JSON." };

        samples.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<long>() < 1_000)
            {
                result.AddError("--samples is at least 1000: fewer would see nothing.");
            }
        });
        mechanisms.Validators.Add(result =>
        {
            foreach (string id in result.Tokens.Select(token => token.Value).Where(id => MechanismCatalogue.All.All(m => m.Id != id)))
            {
                result.AddError($"--mechanism '{id}' is unknown: expected {string.Join(", ", MechanismCatalogue.All.Select(m => m.Id))}.");
            }
        });
        people.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 2 or > Reidentification.MaxPeople)
            {
                result.AddError($"--people lies in 2 to {Reidentification.MaxPeople}.");
            }
        });

        var command = new Command("audit-privacy", Description) { samples, mechanisms, data, schema, policy, people, json };
        command.SetAction((parsed, cancellation) => Task.FromResult(new AuditPrivacyRun
        {
            Samples = parsed.GetValue(samples),
            Mechanisms = parsed.GetValue(mechanisms) is { Length: > 0 } chosen ? chosen : [.. MechanismCatalogue.All.Select(m => m.Id)],
            Data = parsed.GetValue(data) ?? [],
            Schema = parsed.GetValue(schema),
            Policy = parsed.GetValue(policy),
            People = parsed.GetValue(people),
            Json = parsed.GetValue(json),
        }.Run(cancellation)));
        return command;
    }
}
