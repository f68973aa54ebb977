using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace EmrMarket.Analytics.Mechanisms.Coins;

/// <summary>
/// The coins of one fact in sequence, for mechanisms that take a random number of them. How many are taken never depends on the raw value:
/// every loop that takes coins until something happens does so with a probability that is the same for all values.
/// </summary>
internal ref struct CoinStream
{
    /// <summary>Blocks of a buffer.</summary>
    public const int BufferBlocks = 8;

    // After the first fill, half a buffer at a time: most facts need little more, and four blocks in flight hide most of the cipher's
    // latency.
    private const int RefillBlocks = 4;

    private readonly CoinCipher? _cipher;
    private readonly Span<Vector128<byte>> _blocks;
    private ulong _fact;
    private ushort _version;
    private ushort _value;
    private int _step;
    private int _block;
    private int _next;
    private int _end;

    /// <summary>A stream that works in a caller's buffer of <see cref="BufferBlocks"/> blocks.</summary>
    public CoinStream(CoinCipher cipher, Span<Vector128<byte>> buffer)
    {
        _cipher = cipher;
        _blocks = buffer[..BufferBlocks];
    }

    /// <summary>A stream of given coins, a multiple of four words, for tests that try all coins; taking more is an error.</summary>
    internal CoinStream(Span<uint> script)
    {
        _blocks = MemoryMarshal.Cast<uint, Vector128<byte>>(script);
        _end = script.Length;
    }

    /// <summary>Words taken from the current buffer.</summary>
    internal readonly int Taken => _next;

    /// <summary>Starts the coins of a fact.</summary>
    public void Start(ulong fact, ushort version, ushort value, int step)
    {
        (_fact, _version, _value, _step) = (fact, version, value, step);
        _block = 0;
        Fill(BufferBlocks);
    }

    /// <summary>The next 32 coins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Next32()
    {
        if (_next == _end)
        {
            Fill(RefillBlocks);
        }

        return Unsafe.Add(ref First, _next++);
    }

    /// <summary>A uniform integer in 0..size-1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Uniform(uint size)
    {
        uint choice;
        while (!Coin.TryUniform(Next32(), size, out choice))
        {
        }

        return choice;
    }

    private readonly ref uint First => ref Unsafe.As<Vector128<byte>, uint>(ref MemoryMarshal.GetReference(_blocks));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Fill(int blocks)
    {
        if (_cipher is null)
        {
            throw new InvalidOperationException("The script has no more coins.");
        }

        _cipher.EncryptRun(_fact, _version, _value, _step, _block, _blocks[..blocks]);
        _block += blocks;
        (_next, _end) = (0, blocks * Coin.WordsPerBlock);
    }
}
