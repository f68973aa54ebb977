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
