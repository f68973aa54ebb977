using System.Globalization;

namespace EmrMarket.Contracts.Ethereum.Abi;

/// <summary>Reads human-readable signatures such as <c>transfer(address to,uint256 amount)</c> or <c>((uint8,bytes32)[] path,bool
/// ok)</c>.</summary>
internal sealed class AbiSignatureReader(string text)
{
    // Deeper nesting is no contract's: the bound keeps a hostile text from exhausting the stack.
    private const int DeepestNesting = 32;

    private int _at;

    public AbiType ReadWholeType()
    {
        AbiType type = ReadType(0);
        return _at == text.Length ? type : throw Error("the end");
    }

    /// <summary>A name with parameters, each with the word <c>indexed</c> or not.</summary>
    public (string Name, AbiType[] Types, bool[] Indexed) ReadWholeSignature()
    {
        string name = ReadWord();
        (AbiType[] types, bool[] indexed) = ReadParameters(0);
        return _at == text.Length && name.Length > 0 ? (name, types, indexed) : throw Error("a name, its parameters and the end");
    }

    private (AbiType[] Types, bool[] Indexed) ReadParameters(int depth)
    {
        List<AbiType> types = [];
        List<bool> indexed = [];
        Expect('(');
        if (Peek() == ')')
        {
            _at++;
            return ([], []);
        }

        while (true)
        {
            types.Add(ReadType(depth));
            bool isIndexed = false;
            while (Peek() == ' ')
            {
                _at++;
                isIndexed |= ReadWord() is "indexed";
            }

            indexed.Add(isIndexed);
            if (Peek() == ')')
            {
                _at++;
                return ([.. types], [.. indexed]);
            }

            Expect(',');
        }
    }

    private AbiType ReadType(int depth)
    {
        if (depth > DeepestNesting)
        {
            throw Error(string.Create(CultureInfo.InvariantCulture, $"at most {DeepestNesting} levels"));
        }

        AbiType type = Peek() == '(' ? new AbiTuple(ReadParameters(depth + 1).Types) : AbiType.FromElementary(ReadWord());
        while (Peek() == '[')
        {
            _at++;
            string digits = ReadWord();
            int length = 0;
            if (digits.Length > 0
                && (!int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out length) || length is 0 or > 1 << 20))
            {
                throw Error("an array length from 1 to 2^20");
            }

            type = new AbiArray(type, digits.Length == 0 ? null : length);
            Expect(']');
        }

        return type;
    }

    private string ReadWord()
    {
        int start = _at;
        while (_at < text.Length && (char.IsAsciiLetterOrDigit(text[_at]) || text[_at] is '_' or '$'))
        {
            _at++;
        }

        return text[start.._at];
    }

    private char Peek() => _at < text.Length ? text[_at] : '\0';

    private void Expect(char expected)
    {
        if (Peek() != expected)
        {
            throw Error($"'{expected}'");
        }

        _at++;
    }

    private FormatException Error(string expected) =>
        new(string.Create(CultureInfo.InvariantCulture,
            $"{Hex.Excerpt(text)} is no ABI signature: expected {expected} at character {_at}"));
}
