using System.Globalization;
using System.Text;
using System.Text.Json;

namespace EmrMarket.Silos.Tests.Deployment;

/// <summary>The consortium's genesis gives the contracts the machine that they were compiled for, and what its README says of it is
/// so.</summary>
public sealed class ConsortiumTests
{
    private static readonly string Folder = Path.Combine(Tools.RepositoryRoot, "deploy", "consortium");

    [Fact]
    public void Genesis_has_the_forks_of_the_contracts_free_gas_and_the_blocks_that_the_text_tells()
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "qbft.json")));
        JsonElement genesis = document.RootElement.GetProperty("genesis"), config = genesis.GetProperty("config");
        string readme = File.ReadAllText(Path.Combine(Folder, "README.md")), besu = File.ReadAllText(Path.Combine(Folder, "besu.toml"));
        string foundry = File.ReadAllText(Path.Combine(Tools.RepositoryRoot, "src", "Contracts", "solidity", "foundry.toml"));
        Assert.Contains("evm_version = \"cancun\"", foundry, StringComparison.Ordinal);

        // Each fork stands on the ones before it, and Besu refuses a genesis whose forks are out of order.
        Assert.All(
            new[] { "berlinBlock", "londonBlock", "shanghaiTime", "cancunTime" },
            fork => Assert.Equal(0, config.GetProperty(fork).GetInt32()));
        Assert.True(config.GetProperty("zeroBaseFee").GetBoolean());
        Assert.Contains("min-gas-price=0\n", besu, StringComparison.Ordinal);

        long gas = long.Parse(genesis.GetProperty("gasLimit").GetString()![2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        Assert.Contains(gas.ToString("N0", CultureInfo.InvariantCulture) + " (`gasLimit`)", readme, StringComparison.Ordinal);
        int period = config.GetProperty("qbft").GetProperty("blockperiodseconds").GetInt32();
        Assert.Contains($"| {period} s (`blockperiodseconds`)", readme, StringComparison.Ordinal);
        Assert.True(config.GetProperty("qbft").GetProperty("requesttimeoutseconds").GetInt32() > period, "a round has to outlast a block");
        Assert.Contains($"--chain-id {config.GetProperty("chainId").GetInt32()} ", readme, StringComparison.Ordinal);

        // By this mix hash Besu knows a block of its Byzantine consensus.
        Assert.Equal("ctical byzantine fault tolerance",
            Encoding.ASCII.GetString(Convert.FromHexString(genesis.GetProperty("mixHash").GetString()![2..])));

        // Three of four: a validator may lie or be away.
        Assert.Equal(4, document.RootElement.GetProperty("blockchain").GetProperty("nodes").GetProperty("count").GetInt32());
    }

    [Fact]
    public void Keys_are_ignored_by_git() =>
        Assert.Equal(["made/", "network/"], File.ReadAllLines(Path.Combine(Folder, ".gitignore")));
}
