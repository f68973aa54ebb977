using System.Globalization;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records.Mapping.Omop;

/// <summary>What the vocabulary says of the concepts that a mapping names.</summary>
internal static class OmopConcepts
{
    private static readonly string[] AncestorColumns = ["ancestor_concept_id", "descendant_concept_id"];
    private static readonly string[] ConceptColumns = ["concept_id", "concept_name", "invalid_reason"];

    /// <summary>Adds what lies below the concepts of columns that ask for it.</summary>
    /// <exception cref="InputException">The folder has no concept_ancestor, or it cannot be read.</exception>
    public static void AddDescendants(OmopMapping mapping, OmopFolder folder, MappingLimits limits, CancellationToken cancellationToken)
    {
        ILookup<long, Dictionary<long, string>> roots = mapping.Roots;
        if (roots.Count == 0)
        {
            return;
        }

        string file = folder.Require(OmopTables.Ancestor,
            "Put CONCEPT_ANCESTOR.csv of the vocabularies into the folder, or leave 'descendants' out: only the concepts themselves then "
                + "count.");
        OmopCells cells = new(AncestorColumns);
        Read(file, AncestorColumns, limits, cells, () =>
        {
            if (cells.Integer(0) is not { } ancestor || cells.Integer(1) is not { } descendant)
            {
                return;
            }

            foreach (Dictionary<long, string> labels in roots[ancestor])
            {
                labels.TryAdd(descendant, "");
            }
        }, cancellationToken);
    }

    /// <summary>Compares the mapping's names of concepts with the vocabulary's, where the folder has it.</summary>
    public static void CheckNames(OmopMapping mapping, OmopFolder folder, MappingReport report, MappingLimits limits,
        CancellationToken cancellationToken)
    {
        if (folder.Find(OmopTables.Concept) is not { } file)
        {
            report.Note("the folder has no CONCEPT.csv: the mapping's names of concepts were not checked");
            return;
        }

        Dictionary<long, string> named = [];
        foreach (MappedConcept concept in mapping.Concepts)
        {
            named.TryAdd(concept.Id, concept.Name);
        }

        OmopCells cells = new(ConceptColumns);
        Read(file, ConceptColumns, limits, cells, () =>
        {
            if (cells.Integer(0) is not { } id || !named.Remove(id, out string? name))
            {
                return;
            }

            string known = cells.Text(1) ?? "";
            if (!string.Equals(known, name, StringComparison.OrdinalIgnoreCase))
            {
                report.Note(string.Create(CultureInfo.InvariantCulture,
                    $"concept {id} is '{known}' in CONCEPT.csv; the mapping calls it '{name}'"));
            }

            if (!cells.IsEmpty(2))
            {
                report.Note(string.Create(CultureInfo.InvariantCulture, $"concept {id} '{known}' is no longer valid in CONCEPT.csv"));
            }
        }, cancellationToken);
        foreach ((long id, string name) in named.OrderBy(pair => pair.Key))
        {
            report.Note(string.Create(CultureInfo.InvariantCulture, $"CONCEPT.csv has no concept {id}, which the mapping calls '{name}'"));
        }
    }

    private static void Read(string file, string[] columns, MappingLimits limits, OmopCells cells, Action take,
        CancellationToken cancellationToken)
    {
        using IOmopRows rows = OmopRows.Open(file, limits);
        OmopReader.Begin(rows, file, columns, cells);
        int width = rows.FieldCount;
        while (rows.ReadRow())
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                if (rows.FieldCount != width)
                {
                    throw new OmopCellException("", string.Create(CultureInfo.InvariantCulture,
                        $"the row has {rows.FieldCount} fields, the header {width}"));
                }

                take();
            }
            catch (OmopCellException e)
            {
                // A vocabulary is published: a damaged one is no site's data to be worked around.
                throw new InputException(new InputProblem("malformed-csv", file, rows.Line, e.Column, e.Message,
                    "Download the vocabulary again."));
            }
        }
    }
}
