using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Tests.Estimation;

/// <summary>Attributes, channels and batches for tests, and the exact law of a record's report.</summary>
internal static class Samples
{
    public static readonly GradeLadder Ladder = GradeLadder.Default;

    public static AttributeDefinition Categorical(string name, int size, string mechanism, bool constant = false, bool ordered = false) =>
        new()
    {
        Name = name,
        Source = name,
        Domain = new CategoricalDomain([.. Enumerable.Range(0, size).Select(v => $"{name}{v}")], ordered),
        Tier = mechanism.Length == 0 ? Tier.Public : Tier.Moderate,
        Mechanism = mechanism.Length == 0 ? null : mechanism,
        ConstantPerPerson = constant,
    };

    public static AttributeDefinition Grid(
        string name, int cells, decimal min = 0, decimal step = 1, bool optional = false, bool constant = false) => new()
    {
        Name = name,
        Source = name,
        Domain = new GridDomain(min, step, cells, "unit"),
        Tier = Tier.Moderate,
        Mechanism = "dsw",
        Optional = optional,
        ConstantPerPerson = constant,
    };

    public static Channel ChannelOf(AttributeDefinition attribute, int grade) => attribute.Mechanism is null
        ? new PublicChannel(attribute.Domain.Size)
        : MechanismCatalogue.Get(attribute.Mechanism).CreateLadder(attribute.Domain, Ladder)[grade];

    public static AttributeReports Coded(AttributeDefinition attribute, int grade, params int[] codes) =>
        new(attribute, grade, ChannelOf(attribute, grade), new CodeReports([.. codes.Select(c => (ushort)c)]));

    /// <summary>Reports drawn by the shipped mechanism under a key made of a seed.</summary>
    public static AttributeReports Drawn(AttributeDefinition attribute, int grade, int[] truth, int seed, int[]? persons = null)
    {
        ushort[] codes = [.. truth.Select(t => (ushort)t)];
        if (attribute.Mechanism is null)
        {
            return new AttributeReports(attribute, 0, ChannelOf(attribute, 0), new CodeReports(codes));
        }

        byte[] key = new byte[32];
        new Random(seed).NextBytes(key);
        ulong[] facts = [.. Enumerable.Range(0, truth.Length)
            .Select(i => (ulong)(attribute.ConstantPerPerson && persons is not null ? persons[i] : i))];
        var column = new EmrMarket.Analytics.Records.RecordColumn { Attribute = attribute, Codes = codes };
        IReportLadder ladder = MechanismCatalogue.Get(attribute.Mechanism).CreateLadder(attribute.Domain, Ladder);
        ReportColumn reports = ladder.Draw(ColumnKey.Derive(key, attribute.Source), column, facts, [grade])[0];
        return new AttributeReports(attribute, grade, ladder[grade], reports);
    }

    /// <summary>P[output | truth] of a channel whose reports are one output each, written from its definition.</summary>
    public static double[][] Law(Channel channel)
    {
        (int outputs, int window, double p, double q) = channel switch
        {
            EmrMarket.Analytics.Mechanisms.Dsw.DswChannel dsw => (dsw.Outputs, dsw.Window, dsw.POut, dsw.QOut),
            _ => (channel.DomainSize, 1, channel.P, channel.Q),
        };
        return [.. Enumerable.Range(0, channel.DomainSize)
            .Select(v => Enumerable.Range(0, outputs).Select(y => y >= v && y < v + window ? p : q).ToArray())];
    }

    /// <summary>Every outcome of independent draws with these laws, with its probability.</summary>
    public static IEnumerable<(int[] Outcome, double Probability)> Outcomes(IReadOnlyList<double[]> laws)
    {
        var outcome = new int[laws.Count];
        while (true)
        {
            double probability = 1;
            for (int i = 0; i < laws.Count; i++)
            {
                probability *= laws[i][outcome[i]];
            }

            if (probability > 0)
            {
                yield return ([.. outcome], probability);
            }

            int position = 0;
            while (position < laws.Count && ++outcome[position] == laws[position].Length)
            {
                outcome[position++] = 0;
            }

            if (position == laws.Count)
            {
                yield break;
            }
        }
    }

    /// <summary>Mean and variance of a number over all outcomes.</summary>
    public static (double Mean, double Variance) Moments(IEnumerable<(double Value, double Probability)> law)
    {
        double total = 0;
        double mean = 0;
        double square = 0;
        foreach ((double value, double probability) in law)
        {
            total += probability;
            mean += probability * value;
            square += probability * value * value;
        }

        Assert.Equal(1, total, 9);
        return (mean, square - (mean * mean));
    }
}
