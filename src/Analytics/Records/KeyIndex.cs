namespace EmrMarket.Analytics.Records;

/// <summary>
/// Dense indices for 64-bit keys in the order of their first appearance. Open addressing at a load of at most 3/4: 16 to 32 bytes per key
/// (27 to 53 with check words), no allocation per key. A second word per key tells two texts whose hashes share 64 bits from one text seen
/// twice.
/// </summary>
public sealed class KeyIndex
{
    private ulong[] _keys;
    private ulong[]? _checks;
    private int[] _indices;
    private int _mask;

    /// <summary>An empty index with room for some keys.</summary>
    /// <param name="capacity">The number of keys expected, at least 0; it grows when there are more.</param>
    public KeyIndex(int capacity = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        int slots = (int)Math.Min(
            1L << 30, (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)Math.Max(16, (4L * capacity / 3) + 1)));
        (_keys, _indices, _mask) = (new ulong[slots], new int[slots], slots - 1);
    }

    /// <summary>Number of distinct keys.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a key, or finds it.</summary>
    /// <param name="key">The key.</param>
    /// <param name="check">More bits of the hash that made the key; 0 for keys that are no hashes.</param>
    /// <returns>The key's index; whether it is new; whether it was there with other check bits.</returns>
    public (int Index, bool Added, bool Collides) Add(ulong key, ulong check = 0)
    {
        if (Count >= (_mask + 1) / 4 * 3)
        {
            Grow();
        }

        if (check != 0)
        {
            _checks ??= new ulong[_keys.Length];
        }

        int slot = Slot(key);
        while (_indices[slot] != 0)
        {
            if (_keys[slot] == key)
            {
                return (_indices[slot] - 1, false, (_checks?[slot] ?? 0) != check);
            }

            slot = (slot + 1) & _mask;
        }

        Place(slot, key, check, ++Count);
        return (Count - 1, true, false);
    }

    // Fibonacci hashing: consecutive ids spread over the table.
    private int Slot(ulong key) => (int)((key * 0x9E3779B97F4A7C15UL) >> 32) & _mask;

    private void Grow()
    {
        (ulong[] keys, ulong[]? checks, int[] indices) = (_keys, _checks, _indices);
        int slots = checked(2 * keys.Length);
        (_keys, _checks, _indices, _mask) = (new ulong[slots], checks is null ? null : new ulong[slots], new int[slots], slots - 1);
        for (int i = 0; i < keys.Length; i++)
        {
            if (indices[i] == 0)
            {
                continue;
            }

            int slot = Slot(keys[i]);
            while (_indices[slot] != 0)
            {
                slot = (slot + 1) & _mask;
            }

            Place(slot, keys[i], checks?[i] ?? 0, indices[i]);
        }
    }

    private void Place(int slot, ulong key, ulong check, int index)
    {
        (_keys[slot], _indices[slot]) = (key, index);
        if (_checks is not null)
        {
            _checks[slot] = check;
        }
    }
}
