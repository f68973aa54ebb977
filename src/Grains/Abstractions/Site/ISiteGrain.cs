namespace EmrMarket.Grains.Abstractions.Site;

/// <summary>A site: the only writer of its records, policies, budgets, epochs and deliveries. Key: the site's own name for itself. Raw
/// values never leave it, in no answer and no exception.</summary>
[Alias("emr.ISiteGrain")]
public interface ISiteGrain : IGrainWithStringKey
{
    /// <summary>Takes records of a schema. A batch that was taken before changes nothing.</summary>
    /// <exception cref="SiteRefusedException">The schema cannot be read or published, or the columns do not fit it. Nothing was
    /// taken.</exception>
    [Alias("Load")]
    [ResponseTimeout("00:05:00")]
    Task LoadAsync(LoadRecords load);

    /// <summary>Sets what persons allow and ask: all of them or, when one cannot be, none. The same batch again changes nothing.</summary>
    /// <exception cref="SiteRefusedException">A profile, rate, quota or purpose is not on the menu, or a person is unknown. Nothing was
    /// changed.</exception>
    [Alias("SetPolicies")]
    [ResponseTimeout("00:05:00")]
    Task SetPoliciesAsync(SetPolicies policies);

    /// <summary>Gives every person who has no policy yet one by chance, in shares; says to how many. Who has one keeps it.</summary>
    /// <exception cref="SiteRefusedException">The shares do not sum to a million, or name what is not on the menu. Nothing was
    /// changed.</exception>
    [Alias("SetDefaultPolicies")]
    [ResponseTimeout("00:05:00")]
    Task<int> SetDefaultPoliciesAsync(SetDefaultPolicies policies);

    /// <summary>Decides the next epoch of a schema from today's policies and keeps its leaves; <see cref="AdvanceAsync"/> posts it. While
    /// one is under way, answers with that one.</summary>
    /// <exception cref="SiteRefusedException">There are no records, or nobody's offer can be published.</exception>
    [Alias("DecideEpoch")]
    [ResponseTimeout("00:10:00")]
    Task<SiteEpoch> DecideEpochAsync(string schemaId);

    /// <summary>Goes on: posts and finalises epochs, fetches orders, draws and delivers reports, charges budgets, posts and finalises
    /// deliveries.</summary>
    [Alias("Advance")]
    [ResponseTimeout("00:10:00")]
    Task<Advance> AdvanceAsync();

    /// <summary>Where the site stands with a schema.</summary>
    [Alias("Status")]
    Task<SiteStatus> StatusAsync(string schemaId);

    /// <summary>What the site's own publisher grains need to know of a pseudonym.</summary>
    /// <exception cref="SiteRefusedException"><c>publisher-unknown</c>: the site has no such pseudonym in the schema.</exception>
    [Alias("Publisher")]
    [ResponseTimeout("00:05:00")]
    Task<SitePublisher> PublisherAsync(string schemaId, string pseudonym);

    /// <summary>Puts a payout account in the place of a person's seed: from the next epoch on all their records are commanded and paid
    /// under it. The same account again changes nothing.</summary>
    /// <exception cref="SiteRefusedException"><c>publisher-unknown</c>; <c>account-malformed</c>; <c>account-changed</c>: who signed no
    /// longer commands the pseudonym. Nothing was changed.</exception>
    [Alias("TakeOver")]
    [ResponseTimeout("00:05:00")]
    Task TakeOverAsync(SiteTakeOver takeOver);

    /// <summary>Keeps revocations that patients signed, for the time when their persons have withdrawn: all of them or, when one cannot be,
    /// none.</summary>
    /// <exception cref="SiteRefusedException"><c>publisher-unknown</c>; <c>command-malformed</c>: one is of another person's pseudonym, or
    /// not signed by its controller.</exception>
    [Alias("KeepRevocations")]
    [ResponseTimeout("00:05:00")]
    Task KeepWithdrawnAsync(SiteRevocations revocations);

    /// <summary>What persons allow and ask now, with the pseudonyms of their records: for the site's own desk. Who is unknown here is left
    /// out.</summary>
    /// <param name="schemaId">The schema.</param>
    /// <param name="personKeys">The persons.</param>
    [Alias("Persons")]
    [ResponseTimeout("00:05:00")]
    Task<SitePerson[]> PersonsAsync(string schemaId, ulong[] personKeys);

    /// <summary>Withdraws the person of a record for ever, at the site's desk: for patients who ask for it there.</summary>
    /// <param name="schemaId">The schema.</param>
    /// <param name="record">The record's position in the order of loading, from 0.</param>
    /// <exception cref="SiteRefusedException">There is no such record.</exception>
    [Alias("WithdrawAtDesk")]
    [ResponseTimeout("00:05:00")]
    Task WithdrawAtDeskAsync(string schemaId, int record);

    /// <summary>What the site hands to the person of a record: their seed, and the pseudonyms of all their records. For the site's own
    /// desk; it goes nowhere else.</summary>
    /// <param name="schemaId">The schema.</param>
    /// <param name="record">The record's position in the order of loading, from 0.</param>
    /// <exception cref="SiteRefusedException">There is no such record.</exception>
    [Alias("Enrolment")]
    [ResponseTimeout("00:05:00")]
    Task<SiteEnrolment> EnrolmentAsync(string schemaId, int record);

    /// <summary>How often whoever knows a record picks it out of a crowd by what each profile of the menu releases, measured on the site's
    /// own records (docs/ATTACK_MODEL.md).</summary>
    [Alias("Reidentification")]
    [ResponseTimeout("00:05:00")]
    Task<SiteReidentification> ReidentificationAsync(string schemaId);

    /// <summary>The uses of a pseudonym's record, in the order of their orders.</summary>
    /// <exception cref="SiteRefusedException"><c>publisher-unknown</c>: the site has no such pseudonym in the schema.</exception>
    [Alias("Uses")]
    [ResponseTimeout("00:05:00")]
    Task<PublisherUse[]> UsesAsync(string schemaId, string pseudonym);

    /// <summary>Where the site stands after its store was put back from a backup; null when it never was.</summary>
    [Alias("Restore")]
    Task<SiteRestore?> RestoreAsync();

    /// <summary>Ends what holds a restored site back: what its patients and its desk commanded after the backup was entered again, as far
    /// as anybody knows it. Repeated, it changes nothing.</summary>
    /// <param name="pauseEveryone">Whether everybody on offer is paused first, until they speak for themselves.</param>
    /// <exception cref="SiteRefusedException"><c>restore-open</c>: what the ledger shows is not made good yet. Nothing was
    /// changed.</exception>
    [Alias("ConfirmRestore")]
    [ResponseTimeout("00:05:00")]
    Task ConfirmRestoreAsync(bool pauseEveryone);
}

/// <summary>Records, column by column.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.LoadRecords")]
public sealed record LoadRecords
{
    /// <summary>The batch's own id, made once by whoever loads.</summary>
    [Id(0)]
    public required string Id { get; init; }

    /// <summary>The schema's canonical JSON.</summary>
    [Id(1)]
    public required string SchemaJson { get; init; }

    /// <summary>Per record its key, unique in the schema.</summary>
    [Id(2)]
    public required ulong[] RecordKeys { get; init; }

    /// <summary>Per record the key of its person.</summary>
    [Id(3)]
    public required ulong[] PersonKeys { get; init; }

    /// <summary>Per attribute in schema order and per record the code of the value; 65535 marks a missing value of a grid
    /// attribute.</summary>
    [Id(4)]
    public required ushort[][] Codes { get; init; }

    /// <summary>Per attribute, for grids with values off the grid, per record the distance to the lower cell as a 32-bit fraction of a
    /// cell; else empty.</summary>
    [Id(5)]
    public required uint[][] Fractions { get; init; }
}

/// <summary>Whether a person takes part.</summary>
[GenerateSerializer]
[Alias("emr.Participation")]
public enum Participation
{
    /// <summary>Offers are published and served.</summary>
    Active = 0,

    /// <summary>For the time being nothing is published or delivered.</summary>
    Paused = 1,

    /// <summary>Nothing is published or delivered any more.</summary>
    Withdrawn = 2,
}

/// <summary>What persons allow and ask, column by column.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.SetPolicies")]
public sealed record SetPolicies
{
    /// <summary>The schema.</summary>
    [Id(0)]
    public required string SchemaId { get; init; }

    /// <summary>The persons.</summary>
    [Id(1)]
    public required ulong[] PersonKeys { get; init; }

    /// <summary>Per person the profile, an index into the schema's menu.</summary>
    [Id(2)]
    public required byte[] Profiles { get; init; }

    /// <summary>Per person the rate, an index into the site's menu of rates.</summary>
    [Id(3)]
    public required byte[] Rates { get; init; }

    /// <summary>Per person the sales per record and round, at least 1.</summary>
    [Id(4)]
    public required ushort[] Quotas { get; init; }

    /// <summary>Per person the code of the purpose that is admitted, with all below it.</summary>
    [Id(5)]
    public required byte[] Purposes { get; init; }

    /// <summary>Per person when the policy ends, unix seconds; published by the end of its quarter.</summary>
    [Id(6)]
    public required long[] ExpirySeconds { get; init; }

    /// <summary>Per person whether they take part.</summary>
    [Id(7)]
    public required Participation[] Participation { get; init; }

    /// <summary>The policies that these are to replace: they are refused as <c>command-nonce</c> when the persons have neither those nor
    /// already these. Null to replace any.</summary>
    [Id(8)]
    public SetPolicies? InPlaceOf { get; init; }
}

/// <summary>Policies for persons who have none.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.SetDefaultPolicies")]
public sealed record SetDefaultPolicies
{
    /// <summary>The schema.</summary>
    [Id(0)]
    public required string SchemaId { get; init; }

    /// <summary>Per profile of the schema's menu its share in millionths.</summary>
    [Id(1)]
    public required int[] ProfileShares { get; init; }

    /// <summary>Per rate of the site's menu its share in millionths.</summary>
    [Id(2)]
    public required int[] RateShares { get; init; }

    /// <summary>The code of the purpose that is admitted, with all below it.</summary>
    [Id(3)]
    public required byte Purpose { get; init; }

    /// <summary>Sales per record and round, at least 1.</summary>
    [Id(4)]
    public required ushort Quota { get; init; }

    /// <summary>When the policies end, unix seconds.</summary>
    [Id(5)]
    public required long ExpirySeconds { get; init; }
}

/// <summary>A payout account in the place of a person's seed.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.SiteTakeOver")]
public sealed record SiteTakeOver
{
    /// <summary>The schema.</summary>
    [Id(0)]
    public required string SchemaId { get; init; }

    /// <summary>A pseudonym of the person, 64 lower-case hexadecimal digits.</summary>
    [Id(1)]
    public required string Pseudonym { get; init; }

    /// <summary>The controller that signed for it, 20 bytes.</summary>
    [Id(2)]
    public required byte[] Controller { get; init; }

    /// <summary>The account's public key, compressed: 33 bytes.</summary>
    [Id(3)]
    public required byte[] PublicKey { get; init; }

    /// <summary>The account's chain code, 32 bytes.</summary>
    [Id(4)]
    public required byte[] ChainCode { get; init; }
}

/// <summary>Revocations that a person signed.</summary>
[GenerateSerializer]
[Immutable]
[Alias("emr.SiteRevocations")]
public sealed record SiteRevocations
{
    /// <summary>The schema.</summary>
    [Id(0)]
    public required string SchemaId { get; init; }

    /// <summary>The pseudonym that commands, 64 lower-case hexadecimal digits.</summary>
    [Id(1)]
    public required string Pseudonym { get; init; }

    /// <summary>The revocations, of pseudonyms of the same person.</summary>
    [Id(2)]
    public required PublisherRevocation[] Revocations { get; init; }
}

/// <summary>A person at the site's desk.</summary>
[GenerateSerializer]
[Alias("emr.SitePerson")]
public sealed record SitePerson
{
    /// <summary>What the person allows and asks: the only one in its columns. A quota of 0 is of who never had a policy.</summary>
    [Id(0)]
    public required SetPolicies Policy { get; init; }

    /// <summary>The pseudonyms of the person's records, 64 lower-case hexadecimal digits each.</summary>
    [Id(1)]
    public required string[] Pseudonyms { get; init; }
}

/// <summary>What a person needs to command their pseudonyms.</summary>
[GenerateSerializer]
[Alias("emr.SiteEnrolment")]
public sealed record SiteEnrolment
{
    /// <summary>The site's number on the ledger.</summary>
    [Id(0)]
    public required uint Site { get; init; }

    /// <summary>The person's seed, 32 bytes: whoever has it commands the pseudonyms and spends what they were paid.</summary>
    [Id(1)]
    public required byte[] Seed { get; init; }

    /// <summary>The pseudonyms of the person's records, 64 lower-case hexadecimal digits each.</summary>
    [Id(2)]
    public required string[] Pseudonyms { get; init; }
}

/// <summary>What was measured of re-identification.</summary>
[GenerateSerializer]
[Alias("emr.SiteReidentification")]
public sealed record SiteReidentification
{
    /// <summary>The size of the crowd: a blind guess is right once in as many.</summary>
    [Id(0)]
    public required int People { get; init; }

    /// <summary>Per profile of the menu, the share of people whose own reports the attacker ranks first, in 0..1.</summary>
    [Id(1)]
    public required double[] TopOne { get; init; }
}

/// <summary>An epoch as its site knows it.</summary>
[GenerateSerializer]
[Alias("emr.SiteEpoch")]
public sealed record SiteEpoch
{
    /// <summary>Its number, from 1.</summary>
    [Id(0)]
    public required uint Epoch { get; init; }

    /// <summary>Records on offer.</summary>
    [Id(1)]
    public required int Members { get; init; }

    /// <summary>Classes.</summary>
    [Id(2)]
    public required int Classes { get; init; }

    /// <summary>Records that are not published because too few are like them, or their person takes no part.</summary>
    [Id(3)]
    public required int Withheld { get; init; }

    /// <summary>SHA-256 of the leaf file, 64 hexadecimal digits.</summary>
    [Id(4)]
    public required string FileHash { get; init; }
}

/// <summary>Where a site stands.</summary>
[GenerateSerializer]
[Alias("emr.SiteStatus")]
public sealed record SiteStatus
{
    /// <summary>Its number on the ledger; 0 while the consortium has not admitted it.</summary>
    [Id(0)]
    public required uint Site { get; init; }

    /// <summary>Records.</summary>
    [Id(1)]
    public required int Records { get; init; }

    /// <summary>Persons.</summary>
    [Id(2)]
    public required int Persons { get; init; }

    /// <summary>Epochs, oldest first.</summary>
    [Id(3)]
    public required SiteEpoch[] Epochs { get; init; }

    /// <summary>Deliveries, in the order of their orders.</summary>
    [Id(4)]
    public required SiteDelivery[] Deliveries { get; init; }

    /// <summary>The highest loss of any person so far, micro-epsilon.</summary>
    [Id(5)]
    public required long HighestLossMicro { get; init; }
}

/// <summary>Where a site stands whose store was put back from a backup (docs/BACKUP.md).</summary>
[GenerateSerializer]
[Alias("emr.SiteRestore")]
public sealed record SiteRestore
{
    /// <summary>The time of the backup, unix seconds; 0 when it was put back by other means, and the ledger gave it away.</summary>
    [Id(0)]
    public required long SnapshotSeconds { get; init; }

    /// <summary>Whether the site goes on.</summary>
    [Id(1)]
    public required bool IsConfirmed { get; init; }

    /// <summary>What the ledger shows and the site has not made good yet; empty when nothing is open.</summary>
    [Id(2)]
    public required string[] Open { get; init; }
}

/// <summary>A delivery as its site knows it.</summary>
[GenerateSerializer]
[Alias("emr.SiteDelivery")]
public sealed record SiteDelivery
{
    /// <summary>The order's sequence number.</summary>
    [Id(0)]
    public required long Sequence { get; init; }

    /// <summary>The request.</summary>
    [Id(1)]
    public required ulong RequestId { get; init; }

    /// <summary>Records sold.</summary>
    [Id(2)]
    public required int Sold { get; init; }

    /// <summary>Records delivered.</summary>
    [Id(3)]
    public required int Delivered { get; init; }

    /// <summary>Records left out because a cap would have been exceeded.</summary>
    [Id(4)]
    public required int OverCap { get; init; }

    /// <summary>Records left out because their person paused or withdrew, or the policy has changed since.</summary>
    [Id(5)]
    public required int NotAllowed { get; init; }

    /// <summary>Why the market refused it; empty otherwise.</summary>
    [Id(6)]
    public string Refusal { get; init; } = "";
}

/// <summary>The site understood a command and refuses it: repeating it will not help. Its text never holds a raw value.</summary>
[GenerateSerializer]
[Alias("emr.SiteRefusedException")]
public sealed class SiteRefusedException : Exception
{
    /// <summary>A refusal.</summary>
    /// <param name="code">A stable code for programs, for example <c>unknown-schema</c>.</param>
    /// <param name="message">What is wrong, expected against got, and how to mend it.</param>
    public SiteRefusedException(string code, string message)
        : base(message) => Code = code;

    /// <summary>For the runtime.</summary>
    public SiteRefusedException()
        : this("refused", "the site refused the command")
    {
    }

    /// <summary>For the runtime.</summary>
    public SiteRefusedException(string message)
        : this("refused", message)
    {
    }

    /// <summary>For the runtime.</summary>
    public SiteRefusedException(string message, Exception innerException)
        : base(message, innerException) => Code = "refused";

    /// <summary>The code.</summary>
    [Id(0)]
    public string Code { get; init; }
}
