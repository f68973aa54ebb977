using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Analytics.Estimation.Tallies;

/// <summary>
/// The sufficient statistic of everything about one grid attribute at one grade: how often each output occurred, and, for persons with
/// several records, how often two outputs occurred together. Integers that add over batches.
/// </summary>
public sealed class OutputTally : ClusteredTally
{
    private readonly long[] _outputs;
    private readonly long[] _sizeTimesOutputs;
    private readonly long[] _single;
    private readonly Dictionary<(ushort First, ushort Second), long> _pairs = [];
    private KeyValuePair<(ushort First, ushort Second), long>[]? _sortedPairs;

    /// <summary>An empty tally.</summary>
    /// <param name="channel">The channel that all reports came through.</param>
    /// <param name="outputs">The number of outputs.</param>
    /// <param name="constantPerPerson">True when all records of a person carry the same report.</param>
    public OutputTally(Channel channel, int outputs, bool constantPerPerson)
    {
        ArgumentNullException.ThrowIfNull(channel);
        (Channel, ConstantPerPerson) = (channel, constantPerPerson);
        (_outputs, _sizeTimesOutputs, _single) = (new long[outputs], new long[outputs], new long[outputs]);
    }

    /// <summary>The channel.</summary>
    public Channel Channel { get; }

    /// <summary>True when all records of a person carry the same report: then the report is one draw that counts several times.</summary>
    public bool ConstantPerPerson { get; }

    /// <summary>How often each output occurred.</summary>
    public ReadOnlySpan<long> Outputs => _outputs;

    /// <summary>Adds a batch. O(n + sum of squared sizes of persons with several records).</summary>
    internal void Add(ReportColumn reports, PersonClusters persons)
    {
        ushort[] codes = reports is CodeReports coded
            ? coded.Codes
            : throw new EstimationRefusedException(
                "Means, bins and quantiles need reports that are one output each: declare the attribute as a grid.");
        foreach (ushort code in codes)
        {
            if (code >= _outputs.Length)
            {
                throw new EstimationRefusedException(
                    $"A report lies outside the channel's {_outputs.Length} outputs: the reports and the schema do not belong together.");
            }

            _outputs[code]++;
        }

        _sortedPairs = null;
        Count(codes.Length, persons);
        var counts = new long[_outputs.Length];
        foreach (ushort code in codes)
        {
            counts[code]++;
        }

        for (int person = 0; person < persons.Repeated; person++)
        {
            ReadOnlySpan<int> records = persons[person];
            foreach (int record in records)
            {
                ushort code = codes[record];
                counts[code]--;
                _sizeTimesOutputs[code] += records.Length;
                foreach (int other in records)
                {
                    // Unordered pairs, so that the order of a person's records cannot show.
                    (ushort, ushort) key = code <= codes[other] ? (code, codes[other]) : (codes[other], code);
                    System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_pairs, key, out _)++;
                }
            }
        }

        for (int j = 0; j < counts.Length; j++)
        {
            _single[j] += counts[j];
            _sizeTimesOutputs[j] += counts[j];
        }
    }

    /// <summary>The sum of two tallies of the same channel; associative and commutative.</summary>
    /// <exception cref="ArgumentException">The channels differ.</exception>
    public static OutputTally Merge(OutputTally left, OutputTally right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        if (left._outputs.Length != right._outputs.Length || left.Channel.ExactP != right.Channel.ExactP
            || left.Channel.ExactQ != right.Channel.ExactQ || left.ConstantPerPerson != right.ConstantPerPerson)
        {
            throw new ArgumentException(
                "Only tallies of one channel add up; these two have different outputs, probabilities or clustering.", nameof(right));
        }

        var sum = new OutputTally(left.Channel, left._outputs.Length, left.ConstantPerPerson);
        foreach (OutputTally part in (ReadOnlySpan<OutputTally>)[left, right])
        {
            sum.Count(part);
            for (int j = 0; j < sum._outputs.Length; j++)
            {
                sum._outputs[j] += part._outputs[j];
                sum._sizeTimesOutputs[j] += part._sizeTimesOutputs[j];
                sum._single[j] += part._single[j];
            }

            foreach (((ushort, ushort) key, long count) in part._pairs)
            {
                System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(sum._pairs, key, out _) += count;
            }
        }

        return sum;
    }

    /// <summary>The sum over records of a function of the output.</summary>
    internal double Sum(ReadOnlySpan<double> function) => Dot(_outputs, function);

    /// <summary>The sum over persons of (records of the person) * (the person's sum of the function).</summary>
    internal double SumTimesSize(ReadOnlySpan<double> function) => Dot(_sizeTimesOutputs, function);

    /// <summary>The sum over persons of the squared sum of the function over the person's records.</summary>
    internal double SumOfSquaredPersons(double[] function)
    {
        double sum = 0;
        for (int j = 0; j < _single.Length; j++)
        {
            sum += _single[j] * function[j] * function[j];
        }

        // In a fixed order, so that the same reports give the same bits however they were batched.
        _sortedPairs ??= [.. _pairs.OrderBy(p => p.Key)];
        foreach (((ushort first, ushort second), long count) in _sortedPairs)
        {
            sum += count * function[first] * function[second];
        }

        return sum;
    }

    private static double Dot(long[] counts, ReadOnlySpan<double> function)
    {
        double sum = 0;
        for (int j = 0; j < counts.Length; j++)
        {
            sum += counts[j] * function[j];
        }

        return sum;
    }
}
