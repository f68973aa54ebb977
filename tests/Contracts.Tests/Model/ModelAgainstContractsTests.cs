using System.Globalization;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Tests.DevChain;
using Xunit.Abstractions;

namespace EmrMarket.Contracts.Tests.Model;

/// <summary>Random sequences of calls have the same outcome, errors, events and state on the chain and in the model.</summary>
public sealed class ModelAgainstContractsTests(ITestOutputHelper output)
{
    private const int CallsBetweenComparisons = 250;

    [RequiresTheory(Tool.Anvil)]
    [InlineData(1, 1_200)]
    public Task Contracts_follow_the_rules_over_random_calls(int seed, int calls) => RunAsync(seed, calls);

    /// <summary>Differences that longer runs found, each as the shortest run that shows it.</summary>
    [RequiresTheory(Tool.Anvil)]
    [InlineData(1_003, 2_300)] // call 2,236: a wrong opening against an expired escrow, of which the model named only the opening
    public Task Contracts_follow_the_rules_where_they_once_did_not(int seed, int calls) => RunAsync(seed, calls);

    [RequiresTheory(Tool.Anvil)]
    [InlineData(1_001, 10_000)]
    [InlineData(1_002, 10_000)]
    [InlineData(1_003, 10_000)]
    [Trait("Duration", "Long")]
    public Task Contracts_follow_the_rules_over_ten_thousand_random_calls(int seed, int calls) => RunAsync(seed, calls);

    private static EthereumAccount Person(string name) => new(Keccak256.Hash("person " + name).ToArray());

    private static Address[] People(string role, int count) =>
        [.. Enumerable.Range(0, count).Select(i => Person(string.Create(CultureInfo.InvariantCulture, $"{role} {i}")).Address)];

    private async Task RunAsync(int seed, int calls)
    {
        RandomMarket.Cast cast = new(Person("consortium").Address, Person("market"), People("site", 3), People("researcher", 2),
            People("other", 3), Person("fund").Address);
        await using TwinLedger ledger = await TwinLedger.StartAsync(
            ChainFixture.EmbeddedTools, token => RandomMarket.ParametersOf(token, cast), cast.All);
        RandomMarket market = new(ledger, cast, seed);
        await market.SetUpAsync();
        while (ledger.Calls < calls)
        {
            int before = ledger.Calls;
            await market.StepAsync();
            if (ledger.Calls / CallsBetweenComparisons > before / CallsBetweenComparisons)
            {
                await market.CompareAsync();
            }
        }

        await market.CompareAsync();
        output.WriteLine($"{ledger.Calls} calls, {ledger.Accepted} accepted");
        output.WriteLine(
            "faults proved: " + string.Join(", ", ledger.Faults.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key} {pair.Value}")));
        output.WriteLine("refusals: "
            + string.Join(", ", ledger.Refusals.OrderByDescending(pair => pair.Value).Select(pair => $"{pair.Key} {pair.Value}")));

        // A run that never gets far would compare nothing of worth.
        Assert.True(ledger.Accepted > calls / 5, $"only {ledger.Accepted} of {ledger.Calls} calls were accepted");
        Assert.True(ledger.Faults.Count >= 3, $"only {ledger.Faults.Count} kinds of faults were proved");
        Assert.True(ledger.Refusals.Count >= 25, $"only {ledger.Refusals.Count} kinds of refusals were seen");
    }
}
