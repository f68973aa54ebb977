using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Model;

/// <summary>Who calls, and in which block.</summary>
/// <param name="Sender">The caller.</param>
/// <param name="Timestamp">The block's time in unix seconds.</param>
/// <param name="BlockNumber">The block's number.</param>
public sealed record CallContext(Address Sender, ulong Timestamp, ulong BlockNumber);
