using System.Numerics;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Grains.Ledger.View;

/// <summary>
/// What the four contracts have logged, as tables. It holds nothing that the chain does not say, so it can be thrown away and built again.
/// Answers are copies or immutable, and come from memory; all are of the block that the last <see cref="SyncAsync"/> reached. Safe for use
/// from several threads.
/// </summary>
public interface ILedgerView
{
    /// <summary>Reads what the chain logged since, and takes back what a reorganisation removed.</summary>
    /// <exception cref="EthereumException">The node cannot be asked; the view stays as it was, and the next call goes on.</exception>
    Task SyncAsync(CancellationToken cancellationToken = default);

    /// <summary>The contracts that are followed, with their chain and rules.</summary>
    ContractDeployment Deployment { get; }

    /// <summary>The time of the newest block at the last <see cref="SyncAsync"/>, unix seconds: the clock of every decision. 0 before the
    /// first.</summary>
    long NowSeconds { get; }

    /// <summary>
    /// The time of the block up to which the tables hold everything, unix seconds: what is not in them did not happen up to then. Whoever
    /// decides from what is missing decides by this time, since <see cref="NowSeconds"/> runs ahead by the confirmations. 0 before the
    /// first <see cref="SyncAsync"/>.
    /// </summary>
    long SettledSeconds { get; }

    /// <summary>The newest block at the last <see cref="SyncAsync"/>.</summary>
    ulong Head { get; }

    /// <summary>The block up to which the tables hold everything: the head, less the confirmations that are waited for.</summary>
    ulong FollowedTo { get; }

    /// <summary>How often the tables were built anew from the journal, as after a reorganisation: what was seen of them before may be gone,
    /// and whoever goes on from where it looked last begins again.</summary>
    int Rebuilds { get; }

    /// <summary>The sites, by number.</summary>
    IReadOnlyList<SiteRow> Sites();

    /// <summary>The published schemas, in the order of their publication.</summary>
    IReadOnlyList<SchemaRow> Schemas();

    /// <summary>All epochs in the order of their posting; of one schema when it is named.</summary>
    IReadOnlyList<EpochRow> Epochs(Bytes32? schemaId = null);

    /// <summary>An epoch by its batch id, null when it was never posted.</summary>
    EpochRow? Epoch(Bytes32 epochId);

    /// <summary>The newest final epoch of a site that was final at the end of a block, which is what a round closed in this block sells;
    /// null when there was none.</summary>
    EpochRow? FinalEpoch(uint site, Bytes32 schemaId, ulong atBlock = ulong.MaxValue);

    /// <summary>The epochs of a site that were posted in a block or later, in their order. O(epochs posted since, by anybody).</summary>
    IReadOnlyList<EpochRow> EpochsOf(uint site, ulong fromBlock);

    /// <summary>All requests by number; of one schema when it is named.</summary>
    IReadOnlyList<RequestRow> Requests(Bytes32? schemaId = null);

    /// <summary>A request, null when it was never opened.</summary>
    RequestRow? Request(ulong requestId);

    /// <summary>The closed books of a schema, by ordinal.</summary>
    IReadOnlyList<BookRow> Books(Bytes32 schemaId);

    /// <summary>All rounds of a schema in the order of their posting, voided ones included.</summary>
    IReadOnlyList<RoundRow> Rounds(Bytes32 schemaId);

    /// <summary>A round by its batch id, null when it was never posted.</summary>
    RoundRow? Round(Bytes32 roundId);

    /// <summary>The deliveries to a request in the order of their posting, voided ones included.</summary>
    IReadOnlyList<DeliveryRow> Deliveries(ulong requestId);

    /// <summary>The deliveries of a site that were posted in a block or later, in their order. O(deliveries posted since, by
    /// anybody).</summary>
    IReadOnlyList<DeliveryRow> DeliveriesOf(uint site, ulong fromBlock);

    /// <summary>A delivery by its batch id, null when it was never posted.</summary>
    DeliveryRow? Delivery(Bytes32 deliveryId);

    /// <summary>What was paid out of a delivery, by slot. At most one per slot.</summary>
    IReadOnlyList<ClaimRow> Claims(Bytes32 deliveryId);

    /// <summary>A request's money, null when it was never funded.</summary>
    EscrowRow? Escrow(ulong requestId);

    /// <summary>When a pseudonym was revoked, unix seconds; null when it was not.</summary>
    ulong? RevokedAt(uint site, Bytes32 pseudonym);

    /// <summary>The revocations of a site in the order of their posting.</summary>
    IReadOnlyList<RevocationRow> Revocations(uint site);

    /// <summary>What was found about a site, by index.</summary>
    IReadOnlyList<FindingRow> Findings(uint site);

    /// <summary>The leaves that were ever demanded, each with its last demand and what became of it.</summary>
    IReadOnlyList<DemandRow> Demands();

    /// <summary>The registered auditors, who may demand leaves of epochs and record findings.</summary>
    IReadOnlyList<Address> Auditors();

    /// <summary>The leaves that are demanded and not yet answered or reclaimed, of batches that are still posted.</summary>
    IReadOnlyList<DemandRow> OpenDemands();

    /// <summary>What an account holds in AnonymousTransaction for bonds and deposits, in token units, locked amounts not
    /// included.</summary>
    BigInteger FreeBalance(Address account);

    /// <summary>Whether new requests are paused.</summary>
    bool RequestsPaused { get; }
}
