using System.Runtime.InteropServices;

namespace EmrMarket.Analytics.Matching;

/// <summary>Writes the weights of one class into <paramref name="row"/>, one entry per request.</summary>
/// <param name="classIndex">The class, from 0.</param>
/// <param name="row">Filled by the callee; <see cref="WeightMatrix.Inadmissible"/> where the pair may not trade.</param>
public delegate void WeightRow(int classIndex, Span<long> row);

/// <summary>
/// The surplus of every (class, request) pair per record, in token base units: what the researcher bids for the record less what the
/// patient asks. Dense, row by class; kept in 32 bits where every weight fits and in 64 bits otherwise, because the solver is bound
/// by memory bandwidth.
/// </summary>
public sealed class WeightMatrix
{
    /// <summary>Marks a pair that may not trade at any price (grade, purpose, expiry or filter).</summary>
    public const long Inadmissible = long.MinValue;

    /// <summary>Weights lie in [-<see cref="Limit"/>, <see cref="Limit"/>], so that sums of three of them never leave 64 bits.</summary>
    public const long Limit = (1L << 60) - 1;

    private readonly int[]? _narrow;
    private readonly long[]? _wide;

    private WeightMatrix(int classes, int requests, int[]? narrow, long[]? wide, long largest)
    {
        (Classes, Requests, _narrow, _wide, Largest) = (classes, requests, narrow, wide, largest);
    }

    /// <summary>Number of rows.</summary>
    public int Classes { get; }

    /// <summary>Number of columns.</summary>
    public int Requests { get; }

    /// <summary>The largest weight of an admissible pair, at least 0.</summary>
    public long Largest { get; }

    /// <summary>The weight of a pair, or <see cref="Inadmissible"/>.</summary>
    public long this[int classIndex, int requestIndex]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)classIndex, (uint)Classes, nameof(classIndex));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)requestIndex, (uint)Requests, nameof(requestIndex));
            var at = (classIndex * Requests) + requestIndex;
            return _narrow is null ? _wide![at] : Widen(_narrow[at]);
        }
    }

    /// <summary>Builds a matrix row by row. O(classes * requests).</summary>
    /// <param name="classes">Number of rows, at least 0.</param>
    /// <param name="requests">Number of columns, at least 0; classes * requests at most <see cref="Array.MaxLength"/>.</param>
    /// <param name="fill">Called once per class in rising order; called again for earlier classes when a weight exceeds 32 bits.</param>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is out of range, or a weight beyond <see cref="Limit"/>.</exception>
    public static WeightMatrix Create(int classes, int requests, WeightRow fill)
    {
        ArgumentNullException.ThrowIfNull(fill);
        ArgumentOutOfRangeException.ThrowIfNegative(classes);
        ArgumentOutOfRangeException.ThrowIfNegative(requests);
        if ((long)classes * requests > Array.MaxLength)
        {
            throw new ArgumentOutOfRangeException(
                nameof(classes), $"{classes} classes x {requests} requests exceed {Array.MaxLength} pairs.");
        }

        var row = new long[requests];
        var values = GC.AllocateUninitializedArray<int>(classes * requests);
        long largest = 0;
        for (var c = 0; c < classes; c++)
        {
            fill(c, row);
            var target = values.AsSpan(c * requests, requests);
            for (var j = 0; j < requests; j++)
            {
                var weight = row[j];
                if (weight == Inadmissible)
                {
                    target[j] = int.MinValue;
                }
                else if (weight is > int.MinValue and <= int.MaxValue)
                {
                    target[j] = (int)weight;
                    largest = Math.Max(largest, weight);
                }
                else
                {
                    return CreateWide(classes, requests, fill);
                }
            }
        }

        return new WeightMatrix(classes, requests, values, null, largest);
    }

    /// <summary>Copies the weights of a class, <see cref="Inadmissible"/> where the pair may not trade.</summary>
    /// <param name="classIndex">The class, from 0.</param>
    /// <param name="destination">At least <see cref="Requests"/> long.</param>
    public void CopyRow(int classIndex, Span<long> destination)
    {
        if (_narrow is null)
        {
            _wide.AsSpan(classIndex * Requests, Requests).CopyTo(destination);
            return;
        }

        var source = _narrow.AsSpan(classIndex * Requests, Requests);
        for (var j = 0; j < source.Length; j++)
        {
            destination[j] = Widen(source[j]);
        }
    }

    /// <summary>A hash that equal rows share.</summary>
    internal int RowHash(int classIndex)
    {
        var hash = default(HashCode);
        hash.AddBytes(RowBytes(classIndex));
        return hash.ToHashCode();
    }

    /// <summary>Whether two classes have the same weights.</summary>
    internal bool RowsEqual(int a, int b) => RowBytes(a).SequenceEqual(RowBytes(b));

    /// <summary>The rows of some classes, in the given order.</summary>
    internal WeightMatrix SelectRows(ReadOnlySpan<int> classIndices)
    {
        var rowBytes = Requests * (_narrow is null ? sizeof(long) : sizeof(int));
        var (selectedNarrow, selectedWide) = _narrow is null
            ? (null, new long[classIndices.Length * Requests])
            : (new int[classIndices.Length * Requests], default(long[]));
        var target = _narrow is null ? MemoryMarshal.AsBytes(selectedWide.AsSpan()) : MemoryMarshal.AsBytes(selectedNarrow.AsSpan());
        for (var i = 0; i < classIndices.Length; i++)
        {
            RowBytes(classIndices[i]).CopyTo(target.Slice(i * rowBytes, rowBytes));
        }

        return new WeightMatrix(classIndices.Length, Requests, selectedNarrow, selectedWide, Largest);
    }

    private ReadOnlySpan<byte> RowBytes(int classIndex)
        => _narrow is null
            ? MemoryMarshal.AsBytes(_wide.AsSpan(classIndex * Requests, Requests))
            : MemoryMarshal.AsBytes(_narrow.AsSpan(classIndex * Requests, Requests));

    private static WeightMatrix CreateWide(int classes, int requests, WeightRow fill)
    {
        var values = GC.AllocateUninitializedArray<long>(classes * requests);
        long largest = 0;
        for (var c = 0; c < classes; c++)
        {
            var row = values.AsSpan(c * requests, requests);
            fill(c, row);
            for (var j = 0; j < requests; j++)
            {
                if (row[j] == Inadmissible)
                {
                    continue;
                }

                if (row[j] is < -Limit or > Limit)
                {
                    throw new ArgumentOutOfRangeException(
                        nameof(fill),
                        $"Weight {row[j]} of class {c}, request {j} is beyond +-(2^60 - 1); quote prices in a coarser token unit.");
                }

                largest = Math.Max(largest, row[j]);
            }
        }

        return new WeightMatrix(classes, requests, null, values, largest);
    }

    private static long Widen(int weight) => weight == int.MinValue ? Inadmissible : weight;
}
