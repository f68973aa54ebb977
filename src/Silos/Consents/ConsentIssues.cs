using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Consents;

/// <summary>
/// What is wrong with a Consent, in the codes of OperationOutcome (https://hl7.org/fhir/R4/valueset-issue-type.html), each with its place
/// as FHIRPath. No message quotes the Consent.
/// </summary>
/// <param name="file">The file as its reader named it.</param>
internal sealed class ConsentIssues(string file)
{
    private const int Most = 100;

    private readonly List<InputProblem> _found = [];
    private readonly List<InputProblem> _ofMeaning = [];
    private long _total;

    /// <summary>Whether anything is wrong with the form of the Consent.</summary>
    public bool Any => _total > 0;

    /// <summary>What no policy can say, though the Consent is well formed.</summary>
    public IReadOnlyList<InputProblem> OfMeaning => _ofMeaning;

    /// <summary>The form is not that of a Consent.</summary>
    public void Malformed(string code, string path, string message, string fix)
    {
        _total++;
        if (_found.Count < Most)
        {
            _found.Add(new InputProblem(code, file, 0, path, message, fix));
        }
    }

    /// <summary>No policy can say it.</summary>
    public void Unsayable(string code, string path, string message, string fix)
    {
        if (_ofMeaning.Count < Most)
        {
            _ofMeaning.Add(new InputProblem(code, file, 0, path, message, fix));
        }
    }

    /// <summary>Ends the reading when anything is wrong.</summary>
    /// <param name="withMeaning">Whether what no policy can say counts.</param>
    /// <exception cref="InputException">Something is wrong.</exception>
    public void Throw(bool withMeaning)
    {
        InputProblem[] all = withMeaning ? [.. _found, .. _ofMeaning] : [.. _found];
        if (all.Length > 0)
        {
            throw new InputException([.. all.Take(Most)], withMeaning ? _total + _ofMeaning.Count : _total);
        }
    }
}
