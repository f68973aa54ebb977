using System.Security.Cryptography;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>
/// A false epoch for visitors who audit a demonstration: a third site, which nobody runs and which has no patients, claims to have some,
/// one of them twice. Nothing is ever sold of it, since nobody makes it final; until somebody challenges it, it stays open.
/// </summary>
internal sealed class PlantedEpoch(RunningRoles roles, Schema schema, string folder, CancellationToken cancellation)
{
    private const int Twice = 3, Again = 7;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>The number of the site that posts it.</summary>
    public uint Site { get; private set; }

    /// <summary>Posts one, unless one is open.</summary>
    /// <param name="tell">Told when one is posted.</param>
    /// <returns>Its id.</returns>
    public async Task<Bytes32> PlantAsync(Func<string, Task> tell)
    {
        EthereumAccount nobody = EthereumAccount.LoadOrCreate(Path.Combine(folder, "planted-site.key"));
        Site = await roles.Consortium!.AdmitAsync(
            nobody.Address, "a site that a demonstration invented, whose epochs are false"u8.ToArray(), cancellation);
        await roles.View.SyncAsync(cancellation);
        EpochRow[] earlier = [.. roles.View.Epochs(schema.LedgerId()).Where(epoch => epoch.Header.Site == Site)];
        if (earlier.FirstOrDefault(epoch => epoch.Status == BatchStatus.Posted) is { } open)
        {
            return open.Id;
        }

        await tell("a third site, invented for auditors to find out: an epoch in which one patient stands twice");
        MarketContext market = roles.Market!.Context;
        EpochRow honest = roles.View.Epochs(schema.LedgerId()).First(epoch => epoch.Status == BatchStatus.Final);
        EpochFile file = False((await market.EpochAsync(honest.Header.DataHash))!.File,
            earlier.Length == 0 ? 1 : earlier.Max(epoch => epoch.Header.Epoch) + 1);
        byte[] bytes = file.Write(), hash = SHA256.HashData(bytes);
        await market.Store.KeepFileAsync(Convert.ToHexStringLower(hash), bytes, cancellation);
        EpochBatch batch = file.Build(market.ChainId, market.Access, new Bytes32(hash));
        await using RoleHost account = await RoleHost.StartAsync(
            new MemoryLedgerStore(), roles.Client, roles.View.Deployment, [nobody], (_, _) => { });
        await roles.Consortium.SecureAsync(account, nobody.Address, cancellation);
        ContractCall post = new DynamicAccessControl(roles.Client, market.Access).PostEpoch(batch.Header);
        await account.SubmitAsync(0, $"planted/{file.Epoch}", post);
        await Bonds.SettleAsync(account, cancellation);
        while (roles.View.Epoch(batch.Id) is null)
        {
            await Task.Delay(Pause, cancellation);
            await roles.View.SyncAsync(cancellation);
        }

        return batch.Id;
    }

    /// <summary>A group like the first of an honest epoch, of invented members.</summary>
    private EpochFile False(EpochFile honest, uint epoch)
    {
        ClassLeaf group = honest.Classes[0] with { HighWater = 0 };
        MemberLeaf[] members =
            [.. Enumerable.Range(0, (int)group.Size).Select(_ => new MemberLeaf(
                Chance(), new Address(RandomNumberGenerator.GetBytes(Address.Length)), 0, Chance(), 0, 0, Chance()))];
        members[Again] = members[Again] with { Pseudonym = members[Twice].Pseudonym };
        return new EpochFile
        {
            Site = Site, SchemaId = honest.SchemaId, Epoch = epoch, PayoutDepth = honest.PayoutDepth, Classes = [group],
            Cells = [honest.Cells[0]], Members = members,
        };

        static Bytes32 Chance() => new(RandomNumberGenerator.GetBytes(Bytes32.Length));
    }
}
