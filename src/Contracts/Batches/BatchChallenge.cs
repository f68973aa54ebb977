using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Batches;

/// <summary>One challenge that the leaves of an epoch or a delivery allow to be raised.</summary>
/// <param name="Kind">The contract's method, for example challengeSlot.</param>
/// <param name="Where">What it concerns, for people: for example "class 3".</param>
/// <param name="Call">What would be sent.</param>
public sealed record BatchChallenge(string Kind, string Where, ContractCall Call);

/// <summary>An epoch on the ledger with its leaves.</summary>
/// <param name="Posted">What was posted.</param>
/// <param name="Batch">Its leaves.</param>
public sealed record PostedEpoch(Epoch Posted, EpochBatch Batch);
