using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Silos.Reporting.Plots;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Reporting.Fhir;

/// <summary>
/// The results of a request as a Bundle of HL7 FHIR R4 (4.0.1): a MeasureReport of all estimates, an Observation per statistic with one per
/// figure as its members, about a Group of persons whom nobody lists, and a Provenance that leads to the ledger. Why these resources:
/// docs/API.md, "FHIR".
/// </summary>
internal sealed class FhirResults
{
    private readonly RequestDossier _dossier;
    private readonly List<FhirEntry> _entries = [];
    private readonly FhirReference _group;
    private readonly FhirReference _market;

    private FhirResults(RequestDossier dossier)
    {
        _dossier = dossier;
        _group = new FhirReference(Url("group"));
        _market = new FhirReference(Url("market"));
    }

    private string Chain => string.Create(CultureInfo.InvariantCulture, $"eip155:{_dossier.ChainId}");

    /// <summary>The bundle, as JSON. The same dossier gives the same bytes.</summary>
    public static string Write(RequestDossier dossier) =>
        FhirJson.Write(new FhirResults(dossier).Bundle());

    private FhirBundle Bundle()
    {
        _entries.Add(new FhirEntry(_group.Reference!, Group()));
        _entries.Add(new FhirEntry(_market.Reference!, new FhirOrganization
        {
            Identifier = [new FhirIdentifier(FhirCodes.Account, $"{Chain}:{_dossier.Contract}")], Name = "EmrMarket, " + Chain,
        }));
        foreach (uint site in _dossier.Results.RecordsBySite.Keys)
        {
            Add(Site(site), new FhirOrganization
            {
                Identifier = [new FhirIdentifier(FhirCodes.Site, Numbered(site))],
                Name = string.Create(CultureInfo.InvariantCulture, $"Site {site}"),
            });
        }

        List<FhirReference> targets = [.. _dossier.Results.Statistics.Select(Statistic)];
        targets.AddRange(_dossier.Results.RecordsBySite.Select(pair => Add($"records/{pair.Key}",
            Observation("site-records") with { Focus = [new FhirReference(Url(Site(pair.Key)))], ValueInteger = pair.Value })));
        targets.AddRange(_dossier.Results.Findings.Select(Finding));
        FhirMeasures measures = new(_dossier, _group, _market);
        Add("measure", measures.Measure());
        targets.Add(Add("measure-report", measures.Report()));
        Add("provenance", Provenance(targets));
        Add("codes", FhirCodes.System);
        return new FhirBundle
        {
            Meta = new FhirMeta([FhirCodes.Aggregated]),
            Identifier = new FhirIdentifier(FhirCodes.RequestKey, _dossier.Request.Key),
            Timestamp = _dossier.Evaluated,
            Entry = [.. _entries],
        };
    }

    private FhirGroup Group()
    {
        Purpose? purpose = PurposeTree.Default.Purposes.FirstOrDefault(each => each.Code == _dossier.Terms.Purpose);
        List<FhirCharacteristic> characteristics =
        [
            new(FhirCodes.Own("schema"), new FhirConcept([new FhirCoding(FhirCodes.Schema, _dossier.Schema.Id, _dossier.Schema.Name)])),
            new(FhirCodes.Own("purpose"), new FhirConcept([new FhirCoding(FhirCodes.Purpose,
                _dossier.Terms.Purpose.ToString(CultureInfo.InvariantCulture), purpose?.Title)])),
        ];
        if (_dossier.Terms.PublicCell.Length > 0)
        {
            characteristics.Add(new(FhirCodes.Own("public-cell"), new FhirConcept(null, _dossier.Terms.PublicCell)));
        }

        return new FhirGroup
        {
            Code = FhirCodes.Own("randomised-records"),
            Name = "Persons whose records were drawn for this request; nobody lists them, and a person may have several records",
            Characteristic = [.. characteristics],
        };
    }

    private FhirReference Statistic(StatisticAnswer answer, int index)
    {
        string at = string.Create(CultureInfo.InvariantCulture, $"statistic/{index}");
        StatisticRequest asked = StatisticRequest.Parse(answer.Id);
        FhirConcept code = FhirCodes.Own(JsonNamingPolicy.CamelCase.ConvertName(asked.Kind.ToString()), answer.Id);
        FhirIdentifier[] identifier = [new(FhirCodes.RequestKey, $"{_dossier.Request.Key}/{answer.Id}")];
        FhirComponent[] attributes =
            [.. asked.Attributes.Select(name => new FhirComponent(FhirCodes.Own("attribute")) { ValueCodeableConcept = Attribute(name) })];
        if (answer.Result is not { } result)
        {
            return Add(at, Observation("figure") with
            {
                Identifier = identifier, Code = code, Status = "cancelled", DataAbsentReason = FhirCodes.Of(FhirCodes.NotPerformed),
                Note = [new FhirAnnotation(answer.Refusal ?? "refused")], Component = attributes,
            });
        }

        FhirReference own = new(Url(at));
        List<FhirReference> members = [.. Figures(result, at, result.Cells)];
        foreach ((int s, StatisticSection section) in result.Sections.Index())
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"{at}/section/{s}");
            members.Add(Add(path, Observation("section") with
            {
                Code = FhirCodes.Own("section", section.Name),
                Note = section.Note.Length == 0 ? null : [new FhirAnnotation(section.Note)],
                DerivedFrom = [own],
                HasMember = NullIfEmpty(Figures(result, path, section.Cells)),
            }));
        }

        members.AddRange(result.Tests.Select((test, t) => Add($"{at}/test/{t}", Observation("test") with
        {
            Code = FhirCodes.Own("test", test.Name), DerivedFrom = [own],
            ValueQuantity = Quantity(test.Statistic, ""), DataAbsentReason = Absent(test.Statistic),
            Component = Components(
                new FhirComponent(FhirCodes.Own("degrees-of-freedom")) { ValueInteger = test.DegreesOfFreedom },
                Number("p-value", test.PValue, "")),
        })));
        string[] notes = [.. result.Warnings, .. result.PostProcessing is { } post ? new[] { $"Post-processed: {post}." } : []];
        return Add(at, Observation("figure") with
        {
            Text = Narrative(result),
            Identifier = identifier,
            Code = code,
            Method = new FhirConcept(null, result.Estimator),
            Note = notes.Length == 0 ? null : [.. notes.Select(note => new FhirAnnotation(note))],
            HasMember = NullIfEmpty(members),
            Extension = [.. result.ReportsByGrade.Select(Grade)],
            Component = Components(
            [
                .. attributes,
                new FhirComponent(FhirCodes.Own("records")) { ValueInteger = result.N },
                Number("effective-records", result.EffectiveRecords, ""),
                Number("epsilon", (double)result.Epsilon.Micro / 1_000_000, ""),
                Number("confidence", result.Confidence, ""),
                new FhirComponent(FhirCodes.Own("target")) { ValueString = Camel(result.Target) },
            ]),
        });
    }

    private IEnumerable<FhirReference> Figures(StatisticResult result, string path, IReadOnlyList<StatisticCell> cells) =>
        [.. cells.Select((cell, c) => Figure(result, $"{path}/{c}", cell, ResultFigure.UnitOf(result, cell, _dossier.Schema)))];

    private FhirReference Figure(StatisticResult result, string path, StatisticCell cell, string unit)
    {
        bool hasLow = double.IsFinite(cell.Low);
        bool hasHigh = double.IsFinite(cell.High);
        return Add(path, Observation("figure") with
        {
            Code = FhirCodes.Own("figure", $"{result.Id}: {cell.Value}"),
            ValueQuantity = Quantity(cell.Estimate, unit),
            DataAbsentReason = Absent(cell.Estimate),
            Component = Components(
                new FhirComponent(FhirCodes.Own("about")) { ValueString = cell.Value },
                hasLow || hasHigh
                    ? new FhirComponent(FhirCodes.Of(FhirCodes.Interval, string.Create(CultureInfo.InvariantCulture,
                        $"{100 * result.Confidence:0.####} % confidence interval")))
                    {
                        ValueRange = new FhirRange(Quantity(cell.Low, unit), Quantity(cell.High, unit)),
                    }
                    : null,
                hasLow || hasHigh ? Number("confidence", result.Confidence, "") : null,
                hasLow || hasHigh ? new FhirComponent(FhirCodes.Own("interval-kind")) { ValueString = Camel(cell.IntervalKind) } : null,
                Quantity(cell.StandardError, unit) is { } error
                    ? new FhirComponent(FhirCodes.Of(FhirCodes.StandardError)) { ValueQuantity = error } : null,
                Number("expected-half-width", cell.ExpectedHalfWidth, unit),
                Number("guaranteed-half-width", cell.GuaranteedHalfWidth, unit),
                Number("post-processed", cell.PostProcessed, unit)),
        });
    }

    private FhirReference Finding(SiteFinding finding, int index) => Add($"finding/{index}", Observation("site-finding") with
    {
        Focus = [uint.TryParse(finding.Site, NumberStyles.None, CultureInfo.InvariantCulture, out uint site)
            && _dossier.Results.RecordsBySite.ContainsKey(site)
            ? new FhirReference(Url(Site(site))) : new FhirReference(null) { Display = finding.Site }],
        Code = FhirCodes.Own("site-finding", $"{finding.Kind}"),
        ValueQuantity = Quantity(finding.AdjustedPValue, ""),
        DataAbsentReason = Absent(finding.AdjustedPValue),
        Component = [new FhirComponent(FhirCodes.Own("attribute")) { ValueCodeableConcept = Attribute(finding.Attribute) }],
    });

    private FhirProvenance Provenance(IReadOnlyCollection<FhirReference> targets) => new()
    {
        Target = [.. targets],
        Recorded = _dossier.Evaluated,
        Activity = FhirCodes.Own("estimation"),
        Agent =
        [
            new FhirAgent(FhirCodes.Of(FhirCodes.Assembler), _market),
            new FhirAgent(FhirCodes.Of(FhirCodes.Author), new FhirReference(null)
            {
                Identifier = new FhirIdentifier(FhirCodes.Account, $"{Chain}:{_dossier.Request.Researcher}"),
                Display = "the researcher who asked",
            }),
            .. _dossier.Results.RecordsBySite.Keys.Select(
                site => new FhirAgent(FhirCodes.Of(FhirCodes.Custodian), new FhirReference(Url(Site(site))))),
        ],
        Entity =
        [
            Source(FhirCodes.RequestKey, _dossier.Request.Key, $"the terms: {_dossier.Request.Title}"),
            Source(FhirCodes.Request, Numbered(_dossier.Request.RequestId), "the request on the ledger"),
            Source(FhirCodes.Transaction, Hash(_dossier.Opened.Transaction), string.Create(CultureInfo.InvariantCulture,
                $"its opening and funding, block {_dossier.Opened.Block}")),
            Source(FhirCodes.Schema, _dossier.Schema.Id, $"the schema: {_dossier.Schema.Name}"),
            .. _dossier.Deliveries.SelectMany(delivery => (FhirEntity[])
            [
                Source(FhirCodes.Transaction, Hash(delivery.Place.Transaction), string.Create(CultureInfo.InvariantCulture,
                    $"delivery of site {delivery.Site}: {delivery.Records} records, root {delivery.Root}, block {delivery.Place.Block}")),
                Source(FhirCodes.DeliveryFile, delivery.DataHash, string.Create(CultureInfo.InvariantCulture,
                    $"the delivered file of site {delivery.Site}")),
            ]),
        ],
    };

    private static FhirEntity Source(string system, string value, string display) =>
        new(new FhirReference(null) { Identifier = new FhirIdentifier(system, value), Display = display });

    internal static FhirExtension Grade(GradeCount count) => new(FhirCodes.GradeExtension)
    {
        Extension =
        [
            new FhirExtension("attribute") { ValueString = count.Attribute },
            new FhirExtension("grade") { ValueInteger = count.Grade },
            new FhirExtension("epsilon") { ValueDecimal = (double)count.EpsilonMicro / 1_000_000 },
            new FhirExtension("reports") { ValueInteger = count.Reports },
        ],
    };

    private static FhirNarrative Narrative(StatisticResult result) => new(string.Create(CultureInfo.InvariantCulture,
        $"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>{SvgBuilder.Escape(result.Id)}: {result.N} records worth ")
        + string.Create(CultureInfo.InvariantCulture, $"{result.EffectiveRecords:0.#} effective ones, epsilon {result.Epsilon}, ")
        + string.Create(CultureInfo.InvariantCulture, $"{100 * result.Confidence:0.####} % intervals. Estimated from randomised reports; ")
        + "estimates and intervals may leave the possible range.</p></div>");

    private FhirObservation Observation(string code) => new()
    {
        Status = "final", Code = FhirCodes.Own(code), Subject = _group, Issued = _dossier.Evaluated, Performer = [_market],
    };

    private FhirReference Add(string path, FhirResource resource)
    {
        string url = Url(path);
        _entries.Add(new FhirEntry(url, resource));
        return new FhirReference(url);
    }

    // The same statement has the same name wherever and whenever it is written: a UUID of its own version (RFC 9562, 5.8).
    private string Url(string path)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{_dossier.Request.Key}/{path}"), hash);
        hash[6] = (byte)(0x80 | (hash[6] & 0x0F));
        hash[8] = (byte)(0x80 | (hash[8] & 0x3F));
        return "urn:uuid:" + new Guid(hash[..16], bigEndian: true);
    }

    private static string Site(uint site) => string.Create(CultureInfo.InvariantCulture, $"site/{site}");

    private string Numbered(ulong number) => string.Create(CultureInfo.InvariantCulture, $"{Chain}:{_dossier.Contract}/{number}");

    private string Hash(string transaction) => $"{Chain}/0x{transaction}";

    private FhirConcept Attribute(string name)
    {
        int index = _dossier.Schema.IndexOf(name);
        return new FhirConcept(
            [new FhirCoding($"{FhirCodes.Schema}:{_dossier.Schema.Id}", name, index < 0 ? null : _dossier.Schema.Attributes[index].Title)]);
    }

    private static FhirComponent? Number(string code, double? number, string unit) =>
        number is { } value && Quantity(value, unit) is { } quantity
            ? new FhirComponent(FhirCodes.Own(code)) { ValueQuantity = quantity } : null;

    // Units of schemas are words, so they stand as words; only what is a pure number has a code of UCUM.
    internal static FhirQuantity? Quantity(double value, string unit) => !double.IsFinite(value) ? null
        : unit.Length == 0 || unit == "1" ? new FhirQuantity(value) { Unit = "1", System = "http://unitsofmeasure.org", Code = "1" }
        : new FhirQuantity(value) { Unit = unit };

    private static FhirConcept? Absent(double value) => double.IsFinite(value) ? null : FhirCodes.Of(FhirCodes.NotANumber);

    private static FhirComponent[]? Components(params IEnumerable<FhirComponent?> components) =>
        [.. components.OfType<FhirComponent>()];

    private static FhirReference[]? NullIfEmpty(IEnumerable<FhirReference> members) =>
        members.ToArray() is { Length: > 0 } some ? some : null;

    internal static string Camel<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());
}
