namespace EmrMarket.Grains.Abstractions.Site;

/// <summary>
/// One pseudonym at its site, as its patient commands it. Every command is signed by the pseudonym's controller key (docs/WIRE.md,
/// "Patients' messages"). Key:
/// <see cref="PublisherKey"/>. A policy is the person's: it holds for all their records.
/// </summary>
[Alias("emr.IPublisherGrain")]
public interface IPublisherGrain : IGrainWithStringKey
{
    /// <summary>Sets, pauses, resumes or withdraws. The same signed command again changes nothing and answers the same; any other use of
    /// its nonce is refused.</summary>
    /// <exception cref="SiteRefusedException">
    /// <c>command-malformed</c>, <c>publisher-unknown</c>, <c>command-signature</c>, <c>command-nonce</c> or what the site says of the
    /// policy. Nothing was changed, and the nonce is free.
    /// </exception>
    [Alias("Command")]
    [ResponseTimeout("00:05:00")]
    Task<PublisherOffer> CommandAsync(PublisherCommand command);

    /// <summary>Puts a payout account, whose seed only the patient has, in the place of the seed so far, for all of the person's records:
    /// its keys command from now on, and are published and paid from the next epoch on. The same signed command again changes
    /// nothing.</summary>
    /// <exception cref="SiteRefusedException">
    /// <c>command-malformed</c>, <c>publisher-unknown</c>, <c>command-signature</c>, <c>command-nonce</c>, <c>account-known</c> or
    /// <c>account-changed</c>. Nothing was changed, and the nonce is free.
    /// </exception>
    [Alias("TakeOver")]
    [ResponseTimeout("00:05:00")]
    Task<PublisherOffer> TakeOverAsync(PublisherTakeOver takeOver);

    /// <summary>What the patient allows and asks now, and what was spent: for the site's own web host, which knows who asks.</summary>
    /// <exception cref="SiteRefusedException"><c>publisher-unknown</c>.</exception>
    [Alias("Standing")]
    [ResponseTimeout("00:05:00")]
    Task<PublisherOffer> StandingAsync();
}

/// <summary>The key of a <see cref="IPublisherGrain"/>: site, schema and pseudonym.</summary>
public static class PublisherKey
{
    /// <summary>Writes it.</summary>
    /// <param name="site">The key of the site's grain.</param>
    /// <param name="schemaId">The schema, 64 lower-case hexadecimal digits.</param>
    /// <param name="pseudonym">The pseudonym, 64 lower-case hexadecimal digits.</param>
    public static string Of(string site, string schemaId, string pseudonym) => $"{site}/{schemaId}/{pseudonym}";
}

/// <summary>What a patient can command.</summary>
[GenerateSerializer]
[Alias("emr.PublisherCommandKind")]
public enum PublisherCommandKind
{
    /// <summary>Sets ceilings, rate, quota, purpose and end, and takes part.</summary>
    SetPolicy = 1,

    /// <summary>Takes no part until further notice.</summary>
    Pause = 2,

    /// <summary>Takes part again under the policy as it was.</summary>
    Resume = 3,

    /// <summary>Takes no part any more, for ever.</summary>
    Withdraw = 4,
}

/// <summary>A patient's signed command.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.PublisherCommand")]
public sealed record PublisherCommand
{
    /// <summary>1 for a pseudonym's first command, and one more for each that was accepted.</summary>
    [Id(0)]
    public required ulong Nonce { get; init; }

    /// <summary>What is commanded; all members below but the signature are 0 unless it is
    /// <see cref="PublisherCommandKind.SetPolicy"/>.</summary>
    [Id(1)]
    public required PublisherCommandKind Kind { get; init; }

    /// <summary>The profile, an index into the schema's menu.</summary>
    [Id(2)]
    public byte Profile { get; init; }

    /// <summary>The rate, an index into the site's menu.</summary>
    [Id(3)]
    public byte Rate { get; init; }

    /// <summary>Sales per record and round.</summary>
    [Id(4)]
    public ushort Quota { get; init; }

    /// <summary>The code of the purpose that is admitted, with all below it.</summary>
    [Id(5)]
    public byte Purpose { get; init; }

    /// <summary>When the policy ends, unix seconds.</summary>
    [Id(6)]
    public long ExpirySeconds { get; init; }

    /// <summary>The controller's EIP-712 signature, 65 bytes.</summary>
    [Id(7)]
    public required byte[] Signature { get; init; }

    /// <summary>With a withdrawal, the revocations that the person's controllers signed for the ledger; each stands on its own signature.
    /// Only who has the own seed needs any: the site signs for the others.</summary>
    [Id(8)]
    public PublisherRevocation[] Revocations { get; init; } = [];
}

/// <summary>A revocation for the ledger, signed by its pseudonym's controller.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.PublisherRevocation")]
public sealed record PublisherRevocation
{
    /// <summary>The pseudonym, 64 lower-case hexadecimal digits.</summary>
    [Id(0)]
    public required string Pseudonym { get; init; }

    /// <summary>The EIP-712 signature, 65 bytes.</summary>
    [Id(1)]
    public required byte[] Signature { get; init; }
}

/// <summary>A patient's signed account.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.PublisherTakeOver")]
public sealed record PublisherTakeOver
{
    /// <summary>1 for a pseudonym's first command, and one more for each that was accepted.</summary>
    [Id(0)]
    public required ulong Nonce { get; init; }

    /// <summary>The account's public key, compressed: 33 bytes.</summary>
    [Id(1)]
    public required byte[] PublicKey { get; init; }

    /// <summary>Its chain code, 32 bytes.</summary>
    [Id(2)]
    public required byte[] ChainCode { get; init; }

    /// <summary>The EIP-712 signature of the controller so far, 65 bytes.</summary>
    [Id(3)]
    public required byte[] Signature { get; init; }

    /// <summary>The account's own signature of the same: that its key is somebody's.</summary>
    [Id(4)]
    public required byte[] AccountSignature { get; init; }
}

/// <summary>A patient's standing with a site.</summary>
[GenerateSerializer]
[Alias("emr.PublisherOffer")]
public sealed record PublisherOffer
{
    /// <summary>The nonce of the next command.</summary>
    [Id(0)]
    public required ulong NextNonce { get; init; }

    /// <summary>The profile, an index into the schema's menu.</summary>
    [Id(1)]
    public required byte Profile { get; init; }

    /// <summary>The rate, an index into the site's menu.</summary>
    [Id(2)]
    public required byte Rate { get; init; }

    /// <summary>Sales per record and round; 0 before the first policy.</summary>
    [Id(3)]
    public required ushort Quota { get; init; }

    /// <summary>The code of the purpose that is admitted.</summary>
    [Id(4)]
    public required byte Purpose { get; init; }

    /// <summary>When the policy ends, unix seconds.</summary>
    [Id(5)]
    public required long ExpirySeconds { get; init; }

    /// <summary>Whether the person takes part.</summary>
    [Id(6)]
    public required Participation Participation { get; init; }

    /// <summary>What all the person's releases together have cost, reserved ones included, micro-epsilon.</summary>
    [Id(7)]
    public required long LossMicro { get; init; }

    /// <summary>The most that they may cost, micro-epsilon.</summary>
    [Id(8)]
    public required long CapMicro { get; init; }

    /// <summary>Whether only the patient has the seed.</summary>
    [Id(9)]
    public required bool OwnSeed { get; init; }
}

/// <summary>How far a use has come.</summary>
[GenerateSerializer]
[Alias("emr.PublisherUseState")]
public enum PublisherUseState
{
    /// <summary>The reports are drawn, and their loss is reserved.</summary>
    Reserved = 0,

    /// <summary>The market has the reports.</summary>
    Released = 1,

    /// <summary>The delivery stands on the ledger and may still be challenged.</summary>
    Posted = 2,

    /// <summary>The delivery is final: the payment is due.</summary>
    Final = 3,

    /// <summary>The payment went to the payout address.</summary>
    Paid = 4,

    /// <summary>The delivery was voided: the reports are out, and nothing is paid for this attempt.</summary>
    Void = 5,
}

/// <summary>One use of a record. Hashes and ids are 64 lower-case hexadecimal digits; with the ledger they make every line of it
/// provable.</summary>
[GenerateSerializer]
[Alias("emr.PublisherUse")]
public sealed record PublisherUse
{
    /// <summary>The request.</summary>
    [Id(0)]
    public required ulong RequestId { get; init; }

    /// <summary>The code of the request's purpose.</summary>
    [Id(1)]
    public required byte Purpose { get; init; }

    /// <summary>How far it has come.</summary>
    [Id(2)]
    public required PublisherUseState State { get; init; }

    /// <summary>The names of the randomised attributes that were released.</summary>
    [Id(3)]
    public required string[] Attributes { get; init; }

    /// <summary>Per attribute the grade.</summary>
    [Id(4)]
    public required byte[] Grades { get; init; }

    /// <summary>The epoch under which it was sold.</summary>
    [Id(5)]
    public required uint Epoch { get; init; }

    /// <summary>The epoch's batch id.</summary>
    [Id(6)]
    public required string EpochId { get; init; }

    /// <summary>The member's position in the epoch.</summary>
    [Id(7)]
    public required uint MemberPosition { get; init; }

    /// <summary>The batch id of the round that sold it.</summary>
    [Id(8)]
    public required string RoundId { get; init; }

    /// <summary>The attempt of the delivery.</summary>
    [Id(9)]
    public required uint Attempt { get; init; }

    /// <summary>The delivery's batch id.</summary>
    [Id(10)]
    public required string DeliveryId { get; init; }

    /// <summary>The slot in the delivery.</summary>
    [Id(11)]
    public required uint Slot { get; init; }

    /// <summary>The leaf's hash of what was reported.</summary>
    [Id(12)]
    public required string ReportHash { get; init; }

    /// <summary>What is paid, token units.</summary>
    [Id(13)]
    public required UInt128 Amount { get; init; }

    /// <summary>The payout address, 20 bytes.</summary>
    [Id(14)]
    public required byte[] Payee { get; init; }
}

/// <summary>What a site tells its own publisher grains of a pseudonym; it goes nowhere else.</summary>
[GenerateSerializer]
[Alias("emr.SitePublisher")]
public sealed record SitePublisher
{
    /// <summary>The address whose key commands the pseudonym, 20 bytes.</summary>
    [Id(0)]
    public required byte[] Controller { get; init; }

    /// <summary>The person's policy: one row.</summary>
    [Id(1)]
    public required SetPolicies Policy { get; init; }

    /// <summary>The person's loss, spent and reserved, micro-epsilon.</summary>
    [Id(2)]
    public required long LossMicro { get; init; }

    /// <summary>The most that it may be, micro-epsilon.</summary>
    [Id(3)]
    public required long CapMicro { get; init; }

    /// <summary>The public keys of the payout accounts that the person handed in, oldest first; none while the seed is with the
    /// site.</summary>
    [Id(4)]
    public required byte[][] Accounts { get; init; }

    /// <summary>The site's number on the ledger; 0 while it is not admitted.</summary>
    [Id(5)]
    public required uint Site { get; init; }
}
