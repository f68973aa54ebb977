namespace EmrMarket.Silos.Reporting.Fhir;

/// <summary>The names that a bundle uses: those of the specification where it has them, and the few of our own, which travel along as a
/// CodeSystem, so that nothing has to be looked up (docs/API.md, "FHIR").</summary>
internal static class FhirCodes
{
    private const string Terminology = "http://terminology.hl7.org/CodeSystem/";

    // Names without a host: a result says the same wherever it was computed, and nobody is asked when it is read.
    private const string Ours = "urn:emrmarket:fhir:";

    /// <summary>The code system of what FHIR has no code for.</summary>
    public const string ResultSystem = Ours + "CodeSystem:result";

    /// <summary>Reports of one attribute at one grade: attribute, grade, epsilon, reports.</summary>
    public const string GradeExtension = Ours + "StructureDefinition:reports-at-grade";

    /// <summary>The confidence interval of a measure's score: range, confidence, kind.</summary>
    public const string IntervalExtension = Ours + "StructureDefinition:interval";

    /// <summary>The standard error of a measure's score, in its unit.</summary>
    public const string StandardErrorExtension = Ours + "StructureDefinition:standard-error";

    /// <summary>The largest loss of local differential privacy that any one record bore for a statistic.</summary>
    public const string EpsilonExtension = Ours + "StructureDefinition:epsilon";

    /// <summary>Unperturbed records that would carry the information of a statistic's.</summary>
    public const string EffectiveExtension = Ours + "StructureDefinition:effective-records";

    /// <summary>Why a value is missing, on the value itself (R4's own extension).</summary>
    public const string AbsentExtension = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

    /// <summary>Measures: one per request, by its key.</summary>
    public const string Measure = Ours + "Measure:";

    /// <summary>Request keys: keccak-256 of the terms document, hexadecimal.</summary>
    public const string RequestKey = Ours + "identifier:request-key";

    /// <summary>Requests of a contract on a chain: <c>eip155:CHAIN:CONTRACT/NUMBER</c>, contract as in CAIP-10.</summary>
    public const string Request = Ours + "identifier:request";

    /// <summary>Transactions of a chain: <c>eip155:CHAIN/0xHASH</c>.</summary>
    public const string Transaction = Ours + "identifier:transaction";

    /// <summary>Accounts of a chain, as in CAIP-10: <c>eip155:CHAIN:ADDRESS</c>.</summary>
    public const string Account = Ours + "identifier:account";

    /// <summary>Sites of a contract on a chain: <c>eip155:CHAIN:CONTRACT/NUMBER</c>.</summary>
    public const string Site = Ours + "identifier:site";

    /// <summary>Schemas: SHA-256 of the canonical JSON, hexadecimal.</summary>
    public const string Schema = Ours + "identifier:schema";

    /// <summary>Files of deliveries: their SHA-256, hexadecimal.</summary>
    public const string DeliveryFile = Ours + "identifier:delivery-file";

    /// <summary>Purposes by code (GET /market).</summary>
    public const string Purpose = Ours + "identifier:purpose";

    /// <summary>The data are about many together (HL7 v3 ObservationValue).</summary>
    public static readonly FhirCoding Aggregated = new(Terminology + "v3-ObservationValue", "AGGRED", "aggregated");

    /// <summary>Agents of a Provenance.</summary>
    public static readonly FhirCoding
        Assembler = new(Terminology + "provenance-participant-type", "assembler", "Assembler"),
        Author = new(Terminology + "provenance-participant-type", "author", "Author"),
        Custodian = new(Terminology + "provenance-participant-type", "custodian", "Custodian");

    /// <summary>Precision of an estimate, the codes of R4's RiskEvidenceSynthesis.</summary>
    public static readonly FhirCoding
        Interval = new(Terminology + "precision-estimate-type", "CI", "confidence interval"),
        StandardError = new(Terminology + "precision-estimate-type", "SE", "standard error");

    /// <summary>What a measure counts, and how its score is one.</summary>
    public static readonly FhirCoding
        InitialPopulation = new(Terminology + "measure-population", "initial-population", "Initial Population"),
        Continuous = new(Terminology + "measure-scoring", "continuous-variable", "Continuous Variable");

    /// <summary>Why a value is missing.</summary>
    public static readonly FhirCoding
        NotPerformed = new(Terminology + "data-absent-reason", "not-performed", "Not Performed"),
        NotANumber = new(Terminology + "data-absent-reason", "not-a-number", "Not a Number (NaN)");

    private static readonly FhirCodeConcept[] Concepts =
    [
        new("frequency", "Frequency", "Share of the records that have each value of an attribute."),
        new("mean", "Mean", "Mean and variance of a numeric attribute."),
        new("bins", "Bins", "Share of the records in each bin of a numeric attribute."),
        new("quantile", "Quantile", "Quantiles of a numeric attribute."),
        new("table", "Table", "Share of the records in each cell of a table of two or three attributes."),
        new("topCodes", "Top codes", "The most frequent values of an attribute with many."),
        new("linear", "Linear model", "Coefficients of a linear regression."),
        new("logistic", "Logistic model", "Coefficients of a logistic regression."),
        new("figure", "Figure", "One number of a statistic; its component 'about' says which."),
        new("section", "Section", "Numbers that were computed from a statistic's figures, such as conditional shares."),
        new("test", "Test", "The statistic of a hypothesis test that belongs to a statistic."),
        new("site-records", "Records of a site", "Records that the site in focus delivered."),
        new("site-finding", "Finding about a site",
            "The adjusted p-value of a test of the reports of the site in focus: odd, never proof."),
        new("about", "About", "What a figure is about: a value, the values of a table's cell, a term of a model."),
        new("attribute", "Attribute", "An attribute of the schema, by its name."),
        new("records", "Records", "Records that a statistic was computed from."),
        new("effective-records", "Effective records", "Unperturbed records that would carry the same information."),
        new("epsilon", "Epsilon", "The largest loss of local differential privacy that any one record bore for the statistic."),
        new("confidence", "Confidence", "The confidence of intervals and of the guaranteed half-width."),
        new("target", "Target", "What the intervals are about: 'records', these records; 'population', all who allow the use."),
        new("interval-kind", "Kind of interval", "How the interval was made: normal, clopperPearson, fieller or testInversion."),
        new("expected-half-width", "Expected half-width", "The half-width that was promised before the data were seen."),
        new("guaranteed-half-width", "Guaranteed half-width",
            "The half-width that holds with the stated confidence whatever the data, from public quantities alone."),
        new("post-processed", "Post-processed", "The estimate after the post-processing that the statistic's note names; without a claim."),
        new("degrees-of-freedom", "Degrees of freedom", "Degrees of freedom of a test."),
        new("p-value", "p-value", "Probability of a statistic at least as large if the null hypothesis holds."),
        new("randomised-records", "Randomised records",
            "Records whose sensitive attributes were randomised at their site before they left."),
        new("schema", "Schema", "The schema of the records."),
        new("purpose", "Purpose", "The purpose for which the patients allow the use."),
        new("public-cell", "Public cell", "The Public attribute and value that the request was limited to."),
        new("estimation", "Estimation", "Estimation of statistics from the delivered reports."),
    ];

    /// <summary>One of our own codes.</summary>
    /// <exception cref="InvalidOperationException">The code system lacks it.</exception>
    public static FhirConcept Own(string code, string? text = null) =>
        new([new FhirCoding(ResultSystem, code, Concepts.Single(concept => concept.Code == code).Display)], text);

    /// <summary>A code of the specification.</summary>
    public static FhirConcept Of(FhirCoding coding, string? text = null) => new([coding], text);

    /// <summary>The code system of our own codes.</summary>
    public static FhirCodeSystem System { get; } = new()
    {
        Url = ResultSystem,
        Version = "1",
        Name = "EmrMarketResult",
        Title = "Results of requests",
        Description = "What FHIR R4 has no code for in statistics under local differential privacy.",
        Concept = Concepts,
    };
}
